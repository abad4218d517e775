"""A run that is continued takes what has finished, and makes again what has changed since, with all that depends on it.

The graph and kfp's local runner are the real ones; only the steps are replaced by stubs that write a file.
"""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from kfp import local
from kfp.local import task_dispatcher
from kfp.local.status import Status

from components.artifacts import failed_training, files
from components.artifacts.failed_training import CRASHED
from components.parameters import PIPELINE
from pipelines.benchmark import build
from pipelines.local import finished
from pipelines.settings import Settings

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:kfp")

ALL = ["ingest", "preprocess", "evaluate-floor", "train", "evaluate", "train-2", "evaluate-2", "compare", "check"]
SETTINGS = Settings(
    regimes=("custom_cnn", "full_fine_tuning"), gpus=0, run_id="run", data_image="d:1", train_image="t:1"
)
PARAMETERS = {name: parameter.default for name, parameter in PIPELINE.items()}


class Run:
    """A run in a folder, to which `go` can be told where it is interrupted."""

    def __init__(self, folder, monkeypatch, capsys):
        self.folder, self._monkeypatch, self._capsys = folder, monkeypatch, capsys
        self.settings, self.images, self.parameters = SETTINGS, {}, dict(PARAMETERS)

    @property
    def tasks(self):
        (tasks,) = (self.folder / "steps").iterdir()
        return tasks

    @property
    def taken(self):
        return json.loads((self.folder / "run.json").read_text())["resumed"][-1]["taken"]

    def go(self, fails_at=None, not_trained=None, stopped_at=None, of_regime=""):
        """Runs all that is necessary; gives the tasks that ran and what was printed of the steps.

        Args:
            fails_at: a task that fails.
            not_trained: a train task that succeeds although its training failed; its evaluation passes that on, and
                check fails.
            stopped_at: a task during which somebody stops the run.
            of_regime: the folder of the training that failed, in an artifact that has one for each regime.
        """
        ran = []

        def step(**task):
            name = task["component_name"].removeprefix("comp-")
            ran.append(name)
            root = Path(task["pipeline_root"], task["pipeline_resource_name"], name)
            inputs = [value for value in task["arguments"].values() if hasattr(value, "path")]
            whole = [value for value in inputs if not failed_training.load(value.path)]
            passed_on = len(whole) < len(inputs) and name != "compare"
            content = [name, *sorted(Path(value.path, "content").read_text() for value in whole)]
            outputs = task["component_spec"].output_definitions.artifacts
            root.mkdir(parents=True)
            for output in outputs:
                (root / output).mkdir()  # fails if anything is left of an earlier attempt
                if name == not_trained or passed_on:
                    failure = failed_training.record("full_fine_tuning", CRASHED, "killed", files.now())
                    if of_regime:
                        (root / output / "content").write_text("failed")
                    failed_training.save(root / output / of_regime, failure)
                else:
                    (root / output / "content").write_text(" ".join(content))
            if name == stopped_at:
                steps.stop()
            if name == fails_at or (name == "check" and not_trained):
                return {}, Status.FAILURE
            made = {output: {"artifacts": [{"name": output, "uri": str(root / output)}]} for output in outputs}
            (root / "executor_output.json").write_text(json.dumps({"artifacts": made}))
            return finished._outputs(task, root), Status.SUCCESS

        (self.folder / "steps").mkdir(parents=True, exist_ok=True)
        (self.folder / "run.json").write_text(json.dumps({"resumed": [{"taken": []}]}))
        local.init(local.SubprocessRunner(use_venv=False), str(self.folder / "steps"), raise_on_error=False)
        pipeline = build(self.settings)
        titles = {
            task.component_ref.name: task.task_info.name for task in pipeline.pipeline_spec.root.dag.tasks.values()
        }
        steps = finished.Steps(step, self.folder, titles, self.images)
        self._monkeypatch.setattr(task_dispatcher, "run_single_task_implementation", steps)
        self._capsys.readouterr()
        pipeline(**self.parameters)
        lines = self._capsys.readouterr().out.splitlines()
        return ran, [line.removeprefix("pneumonia-benchmark: ") for line in lines if line.startswith("pneumonia-")]


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    return Run(tmp_path / "run", monkeypatch, capsys)


def test_after_an_interruption_only_what_has_not_finished_runs(run):
    ran, said = run.go(fails_at="train-2")
    assert said == []
    before = set(ran) - {"train-2"}
    assert {"ingest", "preprocess"} <= before
    again, said = run.go()
    assert set(again) == set(ALL) - before
    assert len(said) == len(before) == len(run.taken)
    assert "Preprocess: taken from the interrupted run" in said
    assert "Preprocess" in run.taken
    assert run.go()[0] == []
    assert {path.name for path in run.tasks.iterdir()} == set(ALL)


@pytest.mark.parametrize(
    ("change", "remade", "reason"),
    [
        (
            lambda run: (run.tasks / "train" / "model" / "content").write_text("x"),
            ["train"],
            "Train: Custom CNN: made again, since model is no longer what it made",
        ),
        (
            lambda run: shutil.rmtree(run.tasks / "preprocess" / "dataset_summary"),
            ["preprocess"],
            "Preprocess: made again, since dataset_summary is no longer what it made",
        ),
        (
            lambda run: (run.tasks / "ingest" / "raw_dataset" / "more").write_text(""),
            ["ingest"],
            "Ingest: made again, since raw_dataset is no longer what it made",
        ),
        (
            lambda run: (run.tasks / "ingest" / "executor_output.json").write_text("{}"),
            ["ingest"],
            "Ingest: made again, since executor_output.json is no longer what it made",
        ),
        (
            lambda run: (run.tasks / "compare" / "finished.json").write_text('{"made_of": 1}'),
            ["compare"],
            "Compare: made again, since finished.json is damaged",
        ),
        (lambda run: (run.tasks / "compare" / "finished.json").unlink(), ["compare"], None),
        (
            lambda run: run.parameters.update(epochs=PARAMETERS["epochs"] + 1),
            ["train", "train-2"],
            "Train: Custom CNN: made again, since its parameters have changed",
        ),
        (
            lambda run: setattr(run, "settings", replace(SETTINGS, train_image="t:2")),
            ["train", "train-2", "evaluate", "evaluate-2", "evaluate-floor"],
            "Evaluate: baseline: made again, since the code or a package has changed",
        ),
        (
            lambda run: setattr(run, "images", {"d:1": "built again"}),
            ["ingest", "preprocess", "compare", "check"],
            "Ingest: made again, since the code or a package has changed",
        ),
        (lambda run: setattr(run, "settings", replace(SETTINGS, run_started="2030-01-01T00:00:00Z")), [], None),
        (lambda run: setattr(run, "settings", replace(SETTINGS, checkpoints="/elsewhere/checkpoints")), [], None),
    ],
)
def test_what_has_changed_is_made_again_with_the_reason(run, change, remade, reason):
    run.go()
    change(run)
    ran, said = run.go()
    assert sorted(ran) == sorted(remade)
    assert reason is None or reason in said
    assert len(run.taken) == len(ALL) - len(remade)


def test_what_depends_on_another_result_is_made_again(run, monkeypatch):
    run.go()
    (run.tasks / "train" / "finished.json").unlink()
    original = Path.write_text
    monkeypatch.setattr(Path, "write_text", lambda path, text, **k: original(path, text.replace("train ", "T "), **k))
    ran, said = run.go()
    assert ran == ["train", "evaluate", "compare", "check"]
    assert "Evaluate: Custom CNN: made again, since what it works on has changed" in said


def test_a_training_that_failed_is_made_again_with_what_depends_on_it_and_all_else_is_taken(run):
    assert sorted(run.go(not_trained="train-2")[0]) == sorted(ALL)
    unfinished = {"train-2", "evaluate-2", "check"}
    assert {path.parent.name for path in run.tasks.rglob("finished.json")} == set(ALL) - unfinished
    ran, said = run.go()
    assert sorted(ran) == sorted([*unfinished, "compare"])
    assert "Train: Custom CNN: taken from the interrupted run" in said
    assert "Compare: made again, since what it works on has changed" in said
    assert run.go()[0] == []


def test_trainings_with_label_budgets_that_failed_are_made_again_and_no_other_training(run):
    run.settings = replace(SETTINGS, label_budgets="50 100")
    run.parameters |= {"label_budgets": "50 100"}
    assert sorted(run.go(not_trained="train-budgets", of_regime="full_fine_tuning")[0]) == sorted(
        [*ALL, "train-budgets"]
    )
    ran, said = run.go()
    assert sorted(ran) == sorted(["train-budgets", "compare", "check"])
    assert "Train: Custom CNN: taken from the interrupted run" in said
    assert run.go()[0] == []


def test_a_weights_file_that_was_replaced_is_noticed_and_the_folder_of_the_runs_is_not_part_of_the_images(
    run, tmp_path
):
    weights = tmp_path / "weights.h5"
    weights.write_text("1")
    run.parameters |= {"source": "directory", "path": str(tmp_path / ""), "weights": str(weights)}
    run.folder = tmp_path / "runs" / "run"
    run.go()
    assert run.go()[0] == []
    weights.write_text("22")
    ran, said = run.go()
    assert sorted(ran) == ["ingest", "train", "train-2"]
    assert "Train: Custom CNN: made again, since what it works on has changed" in said


def test_a_run_whose_folder_was_moved_can_be_continued(run, tmp_path):
    run.go(fails_at="compare")
    run.folder = run.folder.rename(tmp_path / "elsewhere")
    assert run.go()[0] == ["compare", "check"]


def test_after_a_request_to_stop_no_further_task_begins_even_where_one_ended_well(run):
    assert run.go(stopped_at="preprocess")[0] == ["ingest", "preprocess"]
    assert "ingest" not in run.go()[0]


def test_a_killed_process_that_kfp_takes_for_success_has_not_finished(run, monkeypatch):
    original = Path.write_text
    monkeypatch.setattr(
        Path, "write_text", lambda path, *a, **k: path.name.startswith("executor") or original(path, *a, **k)
    )
    assert run.go() == (["ingest"], []), "what depends on it does not run"
    assert not list(run.folder.rglob("finished.json"))
    monkeypatch.setattr(Path, "write_text", original)
    assert sorted(run.go()[0]) == sorted(ALL)
