import json

import pytest

from benchmarks import measure, startup

WITHOUT_KERAS = ("pipelines.local", "ingest", "preprocess", "train", "compare")


@pytest.mark.slow
@pytest.mark.parametrize("task", WITHOUT_KERAS)
def test_tasks_that_touch_no_model_import_no_keras(task):
    code = "; import sys; print(sorted({'keras', 'tensorflow', 'sklearn'} & set(sys.modules)))"
    assert measure.run(["-c", startup.TASKS[task] + code]).output.splitlines()[-1] == "[]"  # TensorFlow's own before it


@pytest.mark.slow
@pytest.mark.parametrize("task", ["ingest", "preprocess", "train", "evaluate"])
def test_only_compare_imports_seaborn(task):
    code = "; import sys; print('seaborn' in sys.modules)"
    assert measure.run(["-c", startup.TASKS[task] + code]).output.endswith("False")


@pytest.mark.slow
def test_start_and_end_are_measured_apart(capsys, monkeypatch):
    code = "import atexit, time; memory = b'1' * 90_000_000; time.sleep(0.3); atexit.register(time.sleep, 0.6)"
    monkeypatch.setattr(startup, "TASKS", {"slow": code})
    result = startup.start_all(1, ["slow"])
    found = result["tasks"]["slow"]
    assert 0.3 < found["ready_seconds"] < 3
    assert 0.1 < found["end_seconds"] < 3
    assert 90 < found["memory_mb"] < 200
    assert "startup: slow: " in capsys.readouterr().out


def test_the_command_prints_a_table_and_writes_json(tmp_path, capsys, monkeypatch):
    found = {"ready_seconds": 1.234, "end_seconds": 0.05, "memory_mb": 321.4}
    monkeypatch.setattr(startup, "_start", lambda *_: found)
    startup.main(["--json", str(tmp_path / "startup.json")])
    assert "evaluate                  1.23      0.05  321" in capsys.readouterr().out
    written = json.loads((tmp_path / "startup.json").read_text())
    assert list(written["tasks"]) == list(startup.TASKS)
    assert written["machine"]["cores"] > 0


def test_no_repetitions_are_refused(capsys):
    with pytest.raises(SystemExit):
        startup.main(["--repetitions", "0"])
    assert "give 1 or more" in capsys.readouterr().err
