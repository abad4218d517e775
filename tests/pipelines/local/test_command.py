"""Mistakes are named before anything starts or by the step that finds them, and leave no result."""

import contextlib
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from components.artifacts import comparison, files
from components.console import UserError
from pipelines import runs
from pipelines.local import command, process, resume
from pipelines.local.process import Job
from pipelines.settings import Settings
from tests.pipelines.local.helpers import run, write_images


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--epochs", "0"], "'0' is not a whole number of at least 1"),
        (["--image-size", "16"], "'16' is not a whole number from 32 to 1024"),
        (["--learning-rate", "x"], "'x' is not a number"),
        (["--image-size", "2000"], "'2000' is not a whole number from 32 to 1024"),
        (["--learning-rate", "0"], "'0' is not a number above 0 and at most 0.999"),
        (["--learning-rate", "nan"], "'nan' is not a number"),
        (["--synthetic-size", "5000"], "'5000' is not a whole number from 32 to 4096"),
        (["--seeds", "0"], "'0' is not a whole number of at least 1"),
        (["--seed", "-1"], "'-1' is not a whole number of at least 0"),
        (["--cpu-hour-price", "-1"], "'-1' is not a number from 0 to 1000000"),
        (["--trainable-layers", "155"], "--trainable-layers is 155, but MobileNetV2 has 154 layers"),
        (["--path", "."], "--path has no effect with the source 'synthetic': it needs --source directory"),
        (["--source", "gs://bucket/x", "--path", "."], "--path has no effect with the source 'gs://bucket/x'"),
        (["--sha256", "0" * 64], "--sha256 has no effect with the source 'synthetic': it needs the archive's address"),
        (["--source", "kaggle", "--synthetic-images", "1200"], "--synthetic-images has no effect with the source 'kag"),
        (["--source", "directory", "--path", ".", "--synthetic-difficulty", "0"], "it needs --source synthetic"),
        (["--pneumoniamnist-size", "64"], "it needs --source pneumoniamnist"),
        (["--source", "pneumoniamnist", "--path", ".", "--pneumoniamnist-size", "64"], "no effect beside --path"),
        (["--gpus", "1"], "--gpus has no effect without containers: it needs --runner docker"),
        (["--tag", "v1"], "it needs --runner docker"),
        (["--weights", ""], "--weights is empty"),
        (["--regimes", "magic"], "invalid choice: 'magic'"),
        (["--source", "directory"], "give it with --path"),
        (["--source", "directory", "--path", "nowhere"], "there is no folder or file nowhere"),
        (["--source", "magic"], "there is no source 'magic': choose one of synthetic, directory, kaggle"),
        (["--source", "http://example.org/x.zip"], "is not encrypted"),
        (["--source", "https://example.org/x.zip", "--sha256", "abc"], "'abc' is not a SHA-256"),
        (["--source", "pneumoniamnist", "--pneumoniamnist-size", "30"], "'30' is not one of 28, 64, 128, 224"),
        (["--external-test", "nowhere"], "there is no folder nowhere: check --external-test"),
        (["--label-budgets", "10"], "'10' is not each a whole number of at least 20, ascending"),
        (["--draws", "3"], "--draws has no effect without label budgets: give --label-budgets too"),
        (["--label-price", "3"], "--label-price has no effect without label budgets: give --label-budgets too"),
        (["--target-sensitivity", "1.5"], "'1.5' is not a number"),
        (["--weights", "missing.h5"], "there is no weights file missing.h5"),
        (
            ["--weights", "bundled", "--backbone", "ResNet50"],
            "the bundled weights are not those of ResNet50: leave --backbone out",
        ),
    ],
)
def test_a_wrong_argument_is_named_with_the_remedy_before_anything_starts(words, message, capsys, tmp_path):
    with pytest.raises(SystemExit) as stopped:
        command.main([*words, "--output", str(tmp_path)])
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("option", ["--path", "--output", "--external-test", "--weights"])
def test_a_name_that_is_not_utf_8_is_one_sentence_before_anything_starts(option, capsys, tmp_path):
    place = tmp_path / "R\udcf6ntgen"
    place.mkdir()
    with pytest.raises(SystemExit) as stopped:
        command.main(["--source", "directory", "--output", str(tmp_path), option, str(place)])
    assert stopped.value.code == 2
    assert "Röntgen is not UTF-8: rename it".replace("ö", "\\udcf6") in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [place]


def test_the_examples_in_the_help_are_valid_commands(capsys):
    with pytest.raises(SystemExit):
        command.main(["--help"])
    examples = re.findall(r"python -m pipelines\.local (?!\[)(.+)", capsys.readouterr().out.partition("examples:")[2])
    assert len(examples) == 5
    for example in examples:
        command._parser().parse_args(shlex.split(example))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("classes", "count", "message"),
    [
        (("NORMAL",), 6, "contains no images of the class PNEUMONIA"),
        ((), 0, "contains no images in NORMAL and PNEUMONIA"),
    ],
)
def test_a_mistake_that_a_step_finds_is_one_sentence_and_leaves_no_result(tmp_path, classes, count, message):
    images = write_images(tmp_path / "images", classes, count) if classes else tmp_path / "images"
    images.mkdir(exist_ok=True)
    done = run("--source", "directory", "--path", images, "--weights", "none", "--output", tmp_path / "runs")
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert not (tmp_path / "runs" / "latest").exists()
    assert not list((tmp_path / "runs").rglob("raw_dataset"))
    assert not list((tmp_path / "runs").rglob("comparison"))


def prints(monkeypatch, *lines):
    """Makes a run print these lines; gives the list of those that it was asked for."""
    taken = []

    def tell():
        for line in lines:
            taken.append(line)
            yield line

    monkeypatch.setattr(process, "started", lambda *_: contextlib.nullcontext(tell()))
    return taken


def executing(task):
    return f"INFO - Executing task \x1b[96m'{task}'\x1b[0m\n"


def failed(task):
    return f"ERROR - Task \x1b[96m'{task}'\x1b[0m finished with status \x1b[91mFAILURE\x1b[0m\n"


ERROR = "    pneumonia-benchmark: error: no disk: buy one\n"


@pytest.mark.parametrize(
    ("lines", "message"),
    [([ERROR, failed("train")], "no disk: buy one"), ([failed("train")], "a step failed")],
)
def test_after_a_step_failed_no_other_one_is_waited_for(tmp_path, monkeypatch, lines, message):
    taken = prints(monkeypatch, executing("train"), *lines, "pneumonia-benchmark: train custom_cnn: epoch 1\n")
    with resume.locked(tmp_path) as log, pytest.raises(UserError, match=message):
        command.run(Job(tmp_path, {}, Settings()), log, verbose=False)
    assert taken == [executing("train"), *lines]
    assert (tmp_path / "run.log").read_text() == "".join(taken)


def write_comparison(folder, **more):
    """A comparison as compare writes it, in the place of its task; gives that place."""
    made = folder / "steps" / "pneumonia-benchmark" / "compare" / "comparison"
    made.mkdir(parents=True)
    comparison.save(made, files.header(comparison.KIND, files.now(), {}) | {"regimes": {"custom_cnn": {}}} | more)
    (made / "table.txt").write_text(f"the table {len(more)}")
    if not more:
        files.write_json(made.parents[1] / "check" / "finished.json", {})
    return made


FAILED = {"failed": {"full_fine_tuning": {"cause": "crash", "reason": "killed: try again", "seconds": 1.0}}}
NOT_TRAINED = "pneumonia-benchmark: error: 1 of 2 regimes could not be trained. Full fine-tuning: killed: try again\n"


def test_an_error_that_a_step_outlives_ends_nothing(tmp_path, monkeypatch):
    prints(monkeypatch, executing("train"), ERROR, executing("evaluate"), executing("compare"), executing("check"))
    write_comparison(tmp_path)
    with resume.locked(tmp_path) as log:
        made, problem = command.run(Job(tmp_path, {}, Settings()), log, verbose=False)
    assert (made, problem) == (tmp_path / "comparison", "")


@pytest.mark.parametrize("lines", [[NOT_TRAINED, failed("check")], [NOT_TRAINED], [failed("check")]])
def test_where_check_fails_the_comparison_is_kept_with_the_reason(tmp_path, monkeypatch, lines):
    prints(monkeypatch, executing("compare"), executing("check"), *lines)
    write_comparison(tmp_path, **FAILED)
    (tmp_path / "checkpoints").mkdir()
    with resume.locked(tmp_path) as log:
        made, problem = command.run(Job(tmp_path, {}, Settings()), log, verbose=False)
    assert (made / "results.json").is_file()
    assert ("killed: try again" if NOT_TRAINED in lines else "a step failed: the reason is at the end of") in problem
    assert (tmp_path / "checkpoints").is_dir(), "the training continues there"


def test_where_another_step_fails_an_older_comparison_of_the_task_is_no_result(tmp_path, monkeypatch):
    prints(monkeypatch, executing("train-2"), ERROR, failed("train-2"))
    made = write_comparison(tmp_path, **FAILED)
    with resume.locked(tmp_path) as log, pytest.raises(UserError, match="no disk"):
        command.run(Job(tmp_path, {}, Settings()), log, verbose=False)
    assert made.is_dir()
    assert not (tmp_path / "comparison").exists()


@pytest.mark.parametrize("lines", [[], [executing("compare")]])
def test_a_run_that_ended_before_check_has_not_succeeded(tmp_path, monkeypatch, lines):
    prints(monkeypatch, *lines)
    write_comparison(tmp_path, **FAILED)
    with resume.locked(tmp_path) as log, pytest.raises(UserError, match="a step failed"):
        command.run(Job(tmp_path, {}, Settings()), log, verbose=False)


@pytest.mark.parametrize("kept", [True, False])
def test_after_a_good_run_the_folder_of_checkpoints_is_removed_if_it_is_empty(tmp_path, monkeypatch, kept):
    prints(monkeypatch, executing("check"))
    write_comparison(tmp_path)
    (tmp_path / "checkpoints" / "one" if kept else tmp_path / "checkpoints").mkdir(parents=True)
    with resume.locked(tmp_path) as log:
        assert command.run(Job(tmp_path, {}, Settings()), log, verbose=False)[1] == ""
    assert (tmp_path / "checkpoints").exists() == kept


def test_a_run_with_a_regime_that_was_not_trained_shows_its_report_and_is_continued(tmp_path, monkeypatch, capsys):
    more, lines = FAILED, [NOT_TRAINED, failed("check")]

    def run_again(*words):
        with pytest.raises(SystemExit) as ended:
            command.main([*map(str, words)])
        return ended.value.code, capsys.readouterr()

    def started(job, log):  # noqa: ARG001
        if more is not None:
            shutil.rmtree(job.folder / "steps", ignore_errors=True)
            write_comparison(job.folder, **more)
        return contextlib.nullcontext(iter([executing("check"), *lines]))

    monkeypatch.setattr(process, "started", started)
    code, said = run_again("--output", tmp_path)
    folder = (tmp_path / "latest").resolve()
    again = f"continue with: python -m pipelines.local --resume {runs.short(folder)}"
    assert code == 1
    assert said.out.index("the table 1") < said.out.index(
        f"report: {runs.short(folder / 'comparison' / 'report.html')}"
    )
    assert said.err == f"{NOT_TRAINED}{again}\n"

    more, lines = None, [executing("train-4"), ERROR, failed("train-4")]
    code, said = run_again("--resume", folder)
    assert (code, said.err.splitlines()[-1]) == (2, again)
    assert (folder / "comparison" / "table.txt").read_text() == "the table 1", "there is no newer one"

    more, lines = {}, []
    command.main(["--resume", str(folder)])
    said = capsys.readouterr()
    assert "the table 0" in said.out
    assert said.err == ""
    assert (folder / "comparison" / "table.txt").read_text() == "the table 0"
    assert [path.name for path in folder.iterdir() if path.name.startswith(".")] == []
    code, said = run_again("--resume", folder)
    assert code == 2
    assert "has finished: its report is" in said.err


def test_on_a_disk_without_links_a_run_ends_well_and_is_found(tmp_path, monkeypatch, capsys):
    def finish(job, log, verbose):  # noqa: ARG001
        made = job.folder / "comparison"
        made.mkdir()
        for name in ("table.txt", "results.json"):
            (made / name).write_text("the table")
        return made, ""

    def refuse(path, target):  # noqa: ARG001
        raise PermissionError(1, "Operation not permitted", str(path))

    monkeypatch.setattr(command, "run", finish)
    monkeypatch.setattr(Path, "symlink_to", refuse)
    (tmp_path / "20200101-000000" / "comparison").mkdir(parents=True)
    (tmp_path / "20200101-000000" / "comparison" / "results.json").write_text("{}")
    (tmp_path / "30000101-000000").mkdir()  # not finished
    command.main(["--output", str(tmp_path)])
    said = capsys.readouterr().out
    assert said.index("the table") < said.index("report: ") < said.index("there is no link")
    newest = sorted(path for path in tmp_path.iterdir() if path.name.startswith("20"))[-1]
    assert runs.latest(tmp_path) == newest
    assert newest.name in said


@pytest.mark.slow
def test_an_unreadable_weights_file_is_named(tmp_path):
    weights = tmp_path / "broken.weights.h5"
    weights.write_text("no weights")
    images = write_images(tmp_path / "images", count=12)
    done = run(
        *("--source", "directory", "--path", images, "--weights", weights, "--output", tmp_path / "runs"),
        *("--regimes", "transfer_learning", "--image-size", 32),
    )
    assert done.returncode == 2
    assert f"{weights} cannot be loaded into MobileNetV2" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_an_output_that_is_no_folder_is_named(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    with pytest.raises(SystemExit):
        command.main(["--output", str(tmp_path / "file")])
    assert "choose another --output" in capsys.readouterr().err


@pytest.mark.slow
def test_a_full_disk_is_named_and_leaves_no_result(tmp_path):
    disk = tmp_path / "small"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "none", str(disk)], check=False)
    if mounted.returncode:
        pytest.skip("a small disk can be mounted by root only")
    try:
        images = write_images(tmp_path / "images", count=200)
        done = run("--source", "directory", "--path", images, "--weights", "none", "--output", disk / "runs")
        assert done.returncode == 2, done.stdout + done.stderr
        assert "the disk is full" in done.stderr
        assert "Traceback" not in done.stdout + done.stderr
        assert not (disk / "runs" / "latest").exists()
        assert not list(disk.rglob("raw_dataset"))
    finally:
        subprocess.run(["umount", str(disk)], check=True)
