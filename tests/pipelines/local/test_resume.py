"""--resume takes the settings of the run, refuses what it cannot continue, and a stopped run says how to go on."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from components.console import UserError
from pipelines.local import command, process, resume
from tests.pipelines.local.helpers import PROJECT, check_results, run, write_images


@pytest.fixture
def jobs(monkeypatch):
    """The jobs that commands start, each of which is stopped at once, as with Ctrl-C."""
    found = []

    def stop(job, log):  # noqa: ARG001
        found.append(job)
        raise KeyboardInterrupt

    monkeypatch.setattr(process, "started", stop)
    return found


def stopped(*words):
    with pytest.raises(SystemExit) as end:
        command.main([*map(str, words)])
    return end.value.code


def test_a_run_is_continued_with_its_settings_from_another_folder(jobs, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    images = write_images(tmp_path / "images")
    given = ("--regimes", "full_fine_tuning", "custom_cnn", "--learning-rate", 0.00012345678901234, "--seeds", 2)
    given += ("--label-budgets", 30, 60, "--draws", 2)
    assert stopped("--source", "directory", "--path", "images", "--external-test", "images", *given) == 130
    (folder,) = (tmp_path / "runs").iterdir()
    said = capsys.readouterr().err
    kept = "what has finished is kept, and a training continues at its last checkpoint\n"
    assert said.index("stopped before the end") < said.index(kept) < said.index("continue with: ")
    assert said.splitlines()[-1] == f"continue with: python -m pipelines.local --resume runs/{folder.name}"

    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert stopped("--resume", f"../runs/{folder.name}", "--verbose") == 130
    first, second = jobs
    assert second.parameters == first.parameters
    assert second.parameters["path"] == str(images)
    assert first.folder.name == folder.name
    assert second.folder == folder
    assert second.settings.run_started > first.settings.run_started == ""
    assert list(second.settings.regimes) == ["full_fine_tuning", "custom_cnn"]
    assert second.settings.external_test == str(images)
    for job in jobs:
        assert (job.settings.label_budgets, job.settings.draws) == ("30 60", 2)
        assert (job.parameters["label_budgets"], job.parameters["draws"]) == ("30 60", 2)
    assert (second.settings.data_image, second.settings.train_image) == (
        first.settings.data_image,
        first.settings.train_image,
    )
    record = json.loads((folder / "run.json").read_text())
    assert [attempt["taken"] for attempt in record["resumed"]] == [[]]
    assert record["parameters"] == first.parameters
    assert f"continue with: python -m pipelines.local --resume ../runs/{folder.name}" in capsys.readouterr().err


def test_other_options_beside_resume_are_named(jobs, tmp_path, capsys):
    assert stopped("--resume", tmp_path, "--epochs", 3, "--output", tmp_path, "--verbose") == 2
    said = capsys.readouterr().err
    assert "--epochs, --output cannot be given beside --resume" in said
    assert "continue with" not in said
    assert jobs == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "is not the folder of a run (it has no run.json)"),
        ("{", "run.json is damaged"),
        ("[1]", "run.json is damaged"),
        ('{"parameters": {}, "regimes": ["custom_cnn"], "command": []}', "is not of this version of the project"),
        ('{"parameters": 1, "regimes": 2, "options": 3}', "is not of this version of the project"),
    ],
)
def test_what_is_no_run_of_this_version_is_refused(content, message, jobs, tmp_path, capsys):
    if content is not None:
        (tmp_path / "run.json").write_text(content)
    assert stopped("--resume", tmp_path) == 2
    assert message in capsys.readouterr().err
    assert jobs == []
    assert not (tmp_path / "run.log").exists()


def test_values_that_were_changed_by_hand_are_checked(jobs, tmp_path, capsys):
    stopped("--output", tmp_path)
    (folder,) = tmp_path.iterdir()
    content = json.loads((folder / "run.json").read_text())
    content["parameters"]["epochs"] = 0
    (folder / "run.json").write_text(json.dumps(content))
    assert stopped("--resume", folder) == 2
    assert "at least 1" in capsys.readouterr().err
    assert len(jobs) == 1


@pytest.mark.parametrize("graph", [None, resume.GRAPH - 1])
def test_a_run_with_other_tasks_is_refused(graph, jobs, tmp_path, capsys):
    stopped("--output", tmp_path)
    (folder,) = tmp_path.iterdir()
    content = json.loads((folder / "run.json").read_text())
    content |= {"graph": graph}
    (folder / "run.json").write_text(json.dumps({name: value for name, value in content.items() if value is not None}))
    capsys.readouterr()
    assert stopped("--resume", folder) == 2
    assert "run.json is not of this version of the project: start a new run instead" in capsys.readouterr().err
    assert len(jobs) == 1


@pytest.mark.usefixtures("jobs")
def test_a_finished_run_says_where_its_report_is(tmp_path, capsys):
    stopped("--output", tmp_path)
    (folder,) = tmp_path.iterdir()
    (folder / "comparison").mkdir()
    capsys.readouterr()
    assert stopped("--resume", folder) == 2
    said = capsys.readouterr().err
    assert f"has finished: its report is {folder / 'comparison' / 'report.html'}" in said
    assert "continue with" not in said


@pytest.mark.medium
@pytest.mark.usefixtures("jobs")
def test_a_run_that_another_command_works_on_is_refused_until_that_ends(tmp_path, capsys):
    stopped("--output", tmp_path)
    (folder,) = tmp_path.iterdir()
    capsys.readouterr()
    code = (
        "import sys; from pathlib import Path; from pipelines.local.resume import locked\n"
        "with locked(Path(sys.argv[1])): print('locked', flush=True); input()"
    )
    environment = os.environ | {"PYTHONPATH": str(PROJECT)}
    words = [sys.executable, "-c", code, str(folder)]
    with subprocess.Popen(words, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"locked\n"
        assert stopped("--resume", folder) == 2
        said = capsys.readouterr().err
        assert f"another command is working on {folder}" in said
        assert "continue with" not in said
        other.kill()
        other.wait()
    assert stopped("--resume", folder) == 130, "a process that was killed leaves no lock"


def test_a_process_that_a_killed_command_left_behind_keeps_the_lock(tmp_path):
    with resume.locked(tmp_path) as log:
        child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=[log.fileno()])
    try:
        with pytest.raises(UserError, match="another command"), resume.locked(tmp_path):
            pass
    finally:
        child.kill()
        child.communicate()
    with resume.locked(tmp_path):
        pass


@pytest.mark.slow
def test_a_step_that_failed_says_how_to_go_on_and_finished_steps_are_taken(tmp_path):
    images = write_images(tmp_path / "images", count=1)
    output = tmp_path / "runs"
    done = run("--source", "directory", "--path", images, "--weights", "none", "--output", output)
    assert done.returncode == 2, done.stdout + done.stderr
    (folder,) = output.iterdir()
    assert done.stderr.splitlines()[-1].startswith("continue with: python -m pipelines.local --resume ")
    assert "checkpoint" not in done.stderr
    assert "only 1 patients of the class NORMAL are left to make a test split from" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert not (output / "latest").exists()
    assert not [*output.rglob("prepared_dataset"), *output.rglob("comparison")]
    assert [path.parent.name for path in folder.rglob("finished.json")] == ["ingest"]
    again = run("--resume", folder)
    assert again.returncode == 2
    assert again.stderr == done.stderr
    assert "Ingest: taken from the interrupted run" in again.stdout
    assert json.loads((folder / "run.json").read_text())["resumed"][0]["taken"] == ["Ingest"]
    assert "finished with status" in (folder / "run.log").read_text()


@pytest.mark.slow
def test_a_step_is_made_again_if_its_images_have_changed(tmp_path):
    images = write_images(tmp_path / "images", count=1)
    run("--source", "directory", "--path", images, "--weights", "none", "--output", tmp_path / "runs")
    (folder,) = (tmp_path / "runs").iterdir()
    shutil.copy(images / "NORMAL" / "0.png", images / "NORMAL" / "1.png")
    assert "Ingest: made again, since what it works on has changed" in run("--resume", folder).stdout


@pytest.mark.slow
def test_an_interrupted_run_ends_well_and_its_report_says_so(tmp_path):
    small = ("--synthetic-images", 80, "--synthetic-size", 48, "--image-size", 32, "--epochs", 1, "--batch-size", 8)
    done = run(*small, "--regimes", "custom_cnn", "--seeds", 1, "--output", tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    folder = (tmp_path / "latest").resolve()
    # As if it had been stopped while it compared.
    (tasks,) = (folder / "steps").iterdir()
    shutil.rmtree(folder / "comparison")
    shutil.rmtree(tasks / "evaluate")
    again = run("--resume", folder)
    assert again.returncode == 0, again.stdout + again.stderr
    assert "Train: Custom CNN: taken from the interrupted run" in again.stdout
    assert "evaluate custom_cnn" in again.stdout
    results = check_results(folder, ["custom_cnn"])
    assert results["run"]["from_cache"] == ["dataset", "custom_cnn"]
    assert "Made before this run was started or continued" in (folder / "comparison" / "report.html").read_text()
    assert "has finished" in run("--resume", folder).stderr
    assert not (folder / "checkpoints").exists()
