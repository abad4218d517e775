import os

import pytest

from components import machine
from components.machine import cores

ALLOWED = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def version_2(folder, text):
    (folder / "cpu.max").write_text(text)


def version_1(folder, quota, period="100000\n"):
    (folder / "cpu").mkdir()
    (folder / "cpu" / "cpu.cfs_quota_us").write_text(quota)
    (folder / "cpu" / "cpu.cfs_period_us").write_text(period)


@pytest.mark.parametrize("text", ["100000 100000\n", "50000 100000\n", "1000 100000\n"])
def test_a_limit_of_one_processor_or_less_leaves_one(tmp_path, text):
    version_2(tmp_path, text)
    assert cores(tmp_path) == 1


def test_the_older_version_of_control_groups_counts_too(tmp_path):
    version_1(tmp_path, "100000\n")
    assert cores(tmp_path) == 1


@pytest.mark.parametrize("text", ["max 100000\n", f"{ALLOWED + 5}00000 100000\n", "nonsense"])
def test_without_a_lower_limit_all_processors_count(tmp_path, text):
    version_2(tmp_path, text)
    assert cores(tmp_path) == ALLOWED


@pytest.mark.parametrize("quota", ["-1\n", "0\n"])
def test_no_quota_in_the_older_version_is_no_limit(tmp_path, quota):
    version_1(tmp_path, quota)
    assert cores(tmp_path) == ALLOWED


def test_a_machine_without_control_groups_has_no_limit(tmp_path):
    assert cores(tmp_path / "none") == ALLOWED


@pytest.mark.skipif(ALLOWED < 2, reason="needs two processors")
def test_a_limit_between_is_rounded(tmp_path):
    version_2(tmp_path, "160000 100000\n")
    assert cores(tmp_path) == 2


def memory_version_2(folder, limit, current=900, files=(300, 200)):
    (folder / "memory.max").write_text(f"{limit}\n")
    (folder / "memory.current").write_text(f"{current}\n")
    (folder / "memory.stat").write_text(f"anon 400\nfile 510\nactive_file {files[0]}\ninactive_file {files[1]}\n")
    (folder / "memory.events").write_text("low 0\noom 3\noom_kill 2\noom_group_kill 1\n")


def memory_version_1(folder, limit):
    own = folder / "memory"
    own.mkdir()
    (own / "memory.limit_in_bytes").write_text(f"{limit}\n")
    (own / "memory.usage_in_bytes").write_text("900\n")
    (own / "memory.stat").write_text("active_file 1\ninactive_file 1\ntotal_active_file 300\ntotal_inactive_file 200\n")
    (own / "memory.oom_control").write_text("oom_kill_disable 0\nunder_oom 0\noom_kill 2\n")


@pytest.mark.parametrize("version", [memory_version_2, memory_version_1])
def test_copies_of_files_do_not_count_as_used_memory(tmp_path, version):
    version(tmp_path, 1000)
    assert (machine.memory_limit(tmp_path), machine.memory_used(tmp_path)) == (1000, 400)
    assert machine.killed_for_memory(tmp_path) == 2


@pytest.mark.parametrize("limit", ["max", 2**63 - 4096])
def test_no_limit_and_more_than_the_machine_has_are_none(tmp_path, limit):
    memory_version_2(tmp_path, limit)
    assert machine.memory_limit(tmp_path) is None


def test_without_control_groups_nothing_is_known_of_the_memory(tmp_path):
    assert machine.memory_limit(tmp_path) is None
    assert machine.memory_used(tmp_path) == machine.killed_for_memory(tmp_path) == 0
