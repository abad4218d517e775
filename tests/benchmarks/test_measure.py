import json

import pytest

from benchmarks import measure
from components.console import UserError


@pytest.mark.medium
def test_a_process_is_measured_alone_however_large_this_one_is():
    ballast = bytearray(250_000_000)
    ballast[::4096] = b"1" * len(ballast[::4096])
    small = measure.run(["-c", "import time; time.sleep(0.3); print('done')"])
    assert small.output == "done"
    assert 0.3 <= small.seconds < 3
    assert 5 < small.peak_memory_mb < 60
    assert 200 < measure.run(["-c", "bytearray(b'1' * 200_000_000)"]).peak_memory_mb < 500


def test_lines_arrive_while_the_process_runs_and_the_project_is_found(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lines = []
    code = "import os, components; print('one'); print(os.environ['NUMBER'], end='')"
    measure.run(["-c", code], lines.append, {"NUMBER": "2"})
    assert lines == ["one", "2"]


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("raise SystemExit('pneumonia-benchmark: error: no such thing')", "^a measured process failed: no such thing$"),
        ("1 / 0", "failed: ZeroDivisionError: division by zero$"),
        ("raise SystemExit(3)", "failed: exit code 3$"),
        ("import os; os.kill(os.getpid(), 9)", "failed: exit code -9$"),
    ],
)
def test_a_process_that_fails_ends_the_benchmark_with_its_own_words(code, message):
    with pytest.raises(UserError, match=message):
        measure.run(["-c", code])


def test_results_say_which_machine_they_are_of(tmp_path):
    measure.write_json(tmp_path / "result.json", {"seconds": 1.5})
    written = json.loads((tmp_path / "result.json").read_text())
    assert written["seconds"] == 1.5
    assert {"cpu", "cores", "memory_gb", "system", "versions", "date"} == set(written["machine"])
    assert measure.describe(written["machine"] | {"cpu": "A", "cores": 2, "memory_gb": 8.0}).startswith(
        "A, 2 cores, 8 GB, 2"
    )


def test_columns_line_up():
    assert measure.table(["step", "s"], [["ingest", "1"], ["all", "10"]]).splitlines() == [
        "step     s",
        "------  --",
        "ingest   1",
        "all     10",
    ]
