import os

import pytest

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
