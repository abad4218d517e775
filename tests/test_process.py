"""Settings of a process: made by its entry point, never by importing a module."""

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


STATE = """
import gc, logging, warnings
def state():
    silenced = [module.pattern for action, _, _, module, _ in warnings.filters if action == "ignore" and module]
    return gc.get_threshold()[0], logging.getLogger("pydicom").propagate, sorted({"PIL", "pydicom"} & set(silenced))
before = state()
import components.imaging.formats, components.imaging.decoding, components.ingest.ingest, components.train
print(state() == before)
from components import process
process.prepare()
print(state())
"""


def run(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def page_faults(first):
    return int(run(ALLOCATE.format(first=first)))


@pytest.mark.medium
def test_importing_modules_changes_no_setting_of_the_process_and_preparing_it_does():
    assert run(STATE).splitlines() == ["True", "(50000, False, ['PIL', 'pydicom'])"]


def test_a_prepared_process_does_not_search_for_unused_objects_at_its_end():
    code = "import atexit, gc; from components import process; process.prepare(); process.prepare()\n"
    code += "atexit._run_exitfuncs(); print(gc.get_freeze_count() > 1000)"
    assert run(code) == "True\n"


def test_what_pydicom_says_of_a_file_does_not_reach_the_log():
    code = "import logging; logging.basicConfig(level=0); from components import process; process.prepare()\n"
    code += "import warnings, pydicom.config; logging.getLogger('pydicom').error('Doe^Jane')\n"
    code += "warnings.warn_explicit('Doe', UserWarning, 'pydicom', 1, 'pydicom')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "Doe" not in done.stdout + done.stderr


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="a setting of glibc")
def test_large_blocks_are_reused_and_not_taken_anew_every_time():
    kept = page_faults("from components.process import keep_freed_memory; keep_freed_memory()")
    assert kept < page_faults("") / 4
