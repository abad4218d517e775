"""A training process keeps the memory it has freed."""

import platform
import subprocess
import sys

import pytest

ALLOCATE = """
import resource, threading
{first}
def work():
    for _ in range(20):
        b"x" * 32_000_000
work()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
threads = [threading.Thread(target=work) for _ in range(2)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def page_faults(first):
    done = subprocess.run(
        [sys.executable, "-c", ALLOCATE.format(first=first)], capture_output=True, text=True, check=True
    )
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="a setting of glibc")
def test_large_blocks_are_reused_and_not_taken_anew_every_time():
    kept = page_faults("from components.train.memory import keep_freed_memory; keep_freed_memory()")
    assert kept < page_faults("") / 4
