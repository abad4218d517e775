"""Trainings on some of the patients: the budget of all is the main run, and what was finished is kept."""

import shutil
import signal
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from components.artifacts import failed_training, files
from components.artifacts.evaluation import load_all
from components.artifacts.label_budgets import LabelBudgets
from components.artifacts.names import REGIMES
from components.artifacts.prepared_dataset import PreparedDataset
from components.console import UserError
from components.evaluate.evaluate import evaluate
from components.parameters import EvaluateParameters, LabelBudgetParameters, TrainParameters
from components.train import (
    backbones,
    budget_supervision,
    checkpoint,
    checkpoint_folder,
    mirror,
    recipe,
    session,
    subsets,
    supervision,
)
from components.train import label_budgets as module
from components.train import train as train_module
from components.train.__main__ import main
from components.train.budget_training import Trainer
from components.train.fitting import Phase
from components.train.label_budgets import train_budgets
from components.train.recipe import Recipe
from components.train.stored_features import StoredFeatures
from components.train.validation import DivergedError
from tests.train.conftest import deeper_backbone, write_prepared

pytestmark = pytest.mark.medium

BUILD = backbones.build_backbone
SETTINGS = {"trainable_layers": 3, "batch_size": 16, "epochs": 2, "learning_rate": 0.01, "patience": 0}


@pytest.fixture(autouse=True)
def deeper(monkeypatch):
    """Trains with a backbone of two resolutions in the place of MobileNetV2."""
    monkeypatch.setattr(backbones, "build_backbone", deeper_backbone)


@pytest.fixture(scope="session")
def elsewhere(tmp_path_factory):
    """An external test set."""
    counts = (("train", 6), ("validation", 4), ("test", 8))
    return write_prepared(tmp_path_factory.mktemp("data") / "elsewhere", counts)


def everybody(monkeypatch, draws=1):
    """Lets every budget be that of all patients."""

    def planned(data, budgets, draws_, seed):  # noqa: ARG001
        return [subsets.everything(data, draw + 1) for draw in range(draws)], {}

    monkeypatch.setattr(subsets, "planned", planned)


def check_equal_to_the_main_run(
    regime, weights, prepared, elsewhere, tmp_path, monkeypatch, draws=1, last_digits=0, **settings
):
    settings = SETTINGS | {"weights": weights} | settings
    train_module.train(prepared, tmp_path / "model", regime, TrainParameters(**settings, seeds=draws))
    parameters = EvaluateParameters(report_images=False, target_sensitivity=0.9)
    evaluate(prepared, tmp_path / "model", tmp_path / "evaluation", parameters, elsewhere)
    everybody(monkeypatch, draws)
    own = LabelBudgetParameters(**settings, target_sensitivity=0.9)
    record = train_budgets(prepared, tmp_path / "budgets", regime, own, external=elsewhere)
    found = LabelBudgets.load(tmp_path / "budgets")
    assert found.record == record
    for row, evaluation in enumerate(load_all(tmp_path / "evaluation")):
        scored = evaluation.predictions[evaluation.predictions["split"] != "validation"]
        for name in ("image", "label", "patient", "split"):
            assert found.images[name].tolist() == scored[name].tolist()
        np.testing.assert_array_max_ulp(found.scores[row], scored["score"].to_numpy(np.float32), last_digits)
        training = record["trainings"][row]
        assert training["threshold"] == pytest.approx(evaluation.results["threshold"]["value"], abs=1e-7 * last_digits)
        assert training["validation_auc"] == evaluation.results["metrics"]["validation"]["roc_auc"]
        assert training["epochs"] == evaluation.results["training"]["cost"]["epochs"]
        assert training["seed"] == evaluation.results["seed"]
        assert record["backbone"] == evaluation.results["backbone"]
        assert record["external"] == evaluation.results["external"]


@pytest.mark.slow
@pytest.mark.parametrize("regime", [*REGIMES[:3], pytest.param(REGIMES[3], marks=pytest.mark.slow)])
def test_the_budget_of_all_patients_gives_the_scores_of_the_main_run_to_the_bit(
    regime, prepared, elsewhere, tmp_path, monkeypatch
):
    # TensorFlow's optimizer gives the little backbone up, and then computes the sigmoid apart from the linear layer. In
    # the head alone it does not, so that last digits may differ; with a real backbone none does (see below).
    digits = 4 * (regime == "transfer_learning")
    check_equal_to_the_main_run(regime, "imagenet", prepared, elsewhere, tmp_path, monkeypatch, last_digits=digits)


@pytest.mark.slow
@pytest.mark.parametrize("regime", ["transfer_learning", "partial_fine_tuning", "full_fine_tuning"])
def test_so_it_is_with_a_real_backbone(regime, prepared, elsewhere, tmp_path, monkeypatch):
    monkeypatch.setattr(
        backbones,
        "build_backbone",
        lambda _, weights, size: replace(BUILD("MobileNetV2-0.5", "bundled", size), weights=weights),
    )
    check_equal_to_the_main_run(regime, "imagenet", prepared, elsewhere, tmp_path, monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize("regime", ["transfer_learning", "partial_fine_tuning", "full_fine_tuning"])
def test_so_it_is_where_the_statistics_depend_on_the_training_images(
    regime, prepared, elsewhere, tmp_path, monkeypatch
):
    check_equal_to_the_main_run(regime, "none", prepared, elsewhere, tmp_path, monkeypatch, draws=2)


@pytest.mark.slow
def test_each_draw_has_its_own_seed(prepared, elsewhere, tmp_path, monkeypatch):
    check_equal_to_the_main_run("custom_cnn", "none", prepared, elsewhere, tmp_path, monkeypatch, draws=2, seed=5)


def test_a_training_on_few_images_has_enough_steps():
    usual = Recipe(epochs=20, batch_size=32, learning_rate=1e-3, patience=5)
    assert recipe.with_enough_steps(usual, 3956, 3956) == usual
    assert recipe.with_enough_steps(usual, 320, 3956) == usual, "ten steps in each of 20 epochs"
    few = recipe.with_enough_steps(usual, 80, 3956)
    assert (few.epochs, few.patience, few.warm_up_epochs) == (100, 25, 25)
    assert replace(few, epochs=20, patience=5, warm_up_epochs=5) == usual
    fewer = recipe.with_enough_steps(replace(usual, patience=0), 7, 3956)
    assert (fewer.epochs, fewer.patience, fewer.warm_up_epochs) == (200, 0, 50)


def test_a_training_on_few_images_has_no_more_steps_than_one_on_all():
    short = Recipe(epochs=5, batch_size=32, learning_rate=1e-3, patience=2)
    few = recipe.with_enough_steps(short, 80, 640)  # of all, five epochs of 20 steps
    assert (few.epochs, few.patience) == (50, 20), "two steps in each of 50 epochs"
    assert few.warm_up_epochs == 25
    assert recipe.with_enough_steps(short, 80, 90) == short


@pytest.mark.slow
@pytest.mark.usefixtures("few_steps")
def test_a_draw_that_diverges_in_its_first_epoch_costs_no_other(prepared, tmp_path, monkeypatch):
    run, begun = Phase.run, []

    def diverging(self, *arguments):
        begun.append(self)
        if len(begun) == 2:
            raise DivergedError("the training diverged in its first epoch")
        return run(self, *arguments)

    monkeypatch.setattr(Phase, "run", diverging)
    record, scores = trained(prepared, tmp_path / "budgets", "custom_cnn", budgets="40 100")
    assert [training["validation_auc"] is None for training in record["trainings"]] == [False, True, False, False]
    assert record["trainings"][1]["diverged"]
    assert np.isnan(scores[1]).all()
    assert np.isfinite(scores[[0, 2, 3]]).all()


FAST = {"budgets": "40 100 136", "draws": 2, "seed": 3, "weights": "imagenet", **SETTINGS}


@pytest.fixture
def few_steps(monkeypatch):
    """Lets a training have at least five steps."""
    monkeypatch.setattr(recipe, "MINIMUM_STEPS", 5)
    monkeypatch.setattr(recipe, "MINIMUM_WARM_UP_STEPS", 2)


def trained(prepared, folder, regime, checkpoints="", **settings):
    record = train_budgets(prepared, folder, regime, LabelBudgetParameters(**FAST | settings), checkpoints)
    return record, LabelBudgets.load(folder).scores


@pytest.mark.slow
@pytest.mark.usefixtures("few_steps")
def test_the_record_says_what_each_training_had(prepared, tmp_path, capsys):
    record, scores = trained(prepared, tmp_path / "made", "custom_cnn")
    told = [(own["budget"], own["draw"], own["seed"], own["epochs"]) for own in record["trainings"]]
    # 28 training images make one step of 16, 71 make four.
    assert told == [(40, 1, 3, 5), (40, 2, 4, 5), (100, 1, 3, 2), (100, 2, 4, 2)]
    for own in record["trainings"]:
        assert sum(own["patients"].values()) == own["budget"] == sum(own["images"].values()), "one image each"
        assert own["seconds"] > 0
    assert (record["patients"], record["images"], record["backbone"]) == (136, 136, None)
    assert record["left_out"] == {"136": "the dataset has 136 patients for training and validation"}
    assert record["shared_seconds"] == 0
    assert record["seconds"] >= sum(own["seconds"] for own in record["trainings"])
    assert record["made_by"]["arguments"]["label_budgets"] == "40 100 136"
    assert len({row.tobytes() for row in scores}) == 4
    printed = capsys.readouterr().out
    assert "there is no training with 136 patients, since the dataset has 136" in printed
    assert "100 patients, draw 2 (4 of 4): ROC AUC " in printed
    assert "epoch" not in printed


def test_where_nothing_is_left_there_are_no_trainings(prepared, tmp_path):
    record, scores = trained(prepared, tmp_path / "made", "transfer_learning", budgets="200 300")
    assert (record["trainings"], scores.shape) == ([], (0, 40))
    assert list(record["left_out"]) == ["200", "300"]


@pytest.mark.usefixtures("few_steps")
@pytest.mark.parametrize(
    ("regime", "weights", "calls"),
    [
        ("transfer_learning", "imagenet", 1),
        pytest.param("full_fine_tuning", "imagenet", 1, marks=pytest.mark.slow),
        pytest.param("transfer_learning", "none", 4, marks=pytest.mark.slow),
    ],
)
def test_features_below_loaded_weights_are_computed_once(prepared, tmp_path, monkeypatch, regime, weights, calls):
    counts, compute = [], StoredFeatures.compute

    def counting(self, plain, augment, inputs, *rest, **more):
        counts.append(inputs.train[0].shape[1])
        return compute(self, plain, augment, inputs, *rest, **more)

    monkeypatch.setattr(StoredFeatures, "compute", counting)
    record, _ = trained(prepared, tmp_path / "made", regime, weights=weights)
    assert len(counts) == calls
    assert (counts[0] == 96) == (record["shared_seconds"] > 0) == (weights == "imagenet")


class Killed(BaseException):
    """Stands for SIGKILL: nothing in the code handles it."""


@pytest.mark.usefixtures("few_steps")
@pytest.mark.parametrize("regime", ["transfer_learning", pytest.param("full_fine_tuning", marks=pytest.mark.slow)])
def test_finished_trainings_are_taken_and_the_others_made_with_the_same_result(
    prepared, tmp_path, monkeypatch, capsys, regime
):
    whole, expected = trained(prepared, tmp_path / "whole", regime)
    made, train = [], Trainer.train

    def train_two(self, subset, kept):
        if len(made) == 2:
            raise Killed
        made.append(subset)
        return train(self, subset, kept)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "train", train_two)
        with pytest.raises(Killed):
            trained(prepared, tmp_path / "made", regime, tmp_path / "kept")
    assert not (tmp_path / "made").exists()
    capsys.readouterr()
    record, scores = trained(prepared, tmp_path / "made", regime, tmp_path / "kept")
    assert capsys.readouterr().out.count("taken from the checkpoints") == 2
    assert scores.tobytes() == expected.tobytes()
    assert [own | {"seconds": 0} for own in record["trainings"]] == [own | {"seconds": 0} for own in whole["trainings"]]
    assert record["backbone"] == whole["backbone"]
    assert not list((tmp_path / "kept").iterdir())


@pytest.mark.slow
@pytest.mark.usefixtures("few_steps")
def test_a_training_that_was_killed_goes_on_with_the_same_result(prepared, tmp_path, monkeypatch):
    _, expected = trained(prepared, tmp_path / "whole", "custom_cnn", budgets="100")
    left = iter(range(6))  # in the second epoch

    class Ending(Phase):
        def run(self, report, pause):
            def pause_or_end(complete):
                pause(complete)
                if next(left, None) is None:
                    raise Killed

            return super().run(report, pause_or_end)

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "SHARE", 1e9)
        patch.setattr(checkpoint, "WITHIN_EPOCH", 0.0)
        patch.setattr(session, "Phase", Ending)
        with pytest.raises(Killed):
            trained(prepared, tmp_path / "made", "custom_cnn", tmp_path / "kept", budgets="100")
    assert [path.parent.name for path in (tmp_path / "kept").rglob("state.npz")] == ["budget-100-draw-1"]
    epochs, load = [], checkpoint.Checkpoint.load

    def noting(self, name):
        found = load(self, name)
        epochs.extend([len(found["history"])] if found and name == "state" else [])
        return found

    monkeypatch.setattr(checkpoint.Checkpoint, "load", noting)
    _, scores = trained(prepared, tmp_path / "made", "custom_cnn", tmp_path / "kept", budgets="100")
    assert epochs == [1], "it was continued in its second epoch"
    assert scores.tobytes() == expected.tobytes()


def test_what_is_kept_of_budgets_has_names_that_an_object_store_may_give_back():
    for name in ("budget-50-draw-1/state.npz", "budget-50-draw-1-finished/result.npz", "shared/features.npz"):
        assert mirror.NAMES.fullmatch(name)
    for name in ("budget-50-draw-1/model.keras", "budget-5x-draw-1/state.npz", "shared/../state.npz", "other/a.npz"):
        assert not mirror.NAMES.fullmatch(name)


def test_what_results_depend_on_has_its_own_checkpoints(prepared, elsewhere):
    data, other = PreparedDataset.load(prepared), PreparedDataset.load(elsewhere)

    def key(external=None, regime="custom_cnn", **changed):
        own = LabelBudgetParameters(**FAST | changed)
        job = module.Job(data, [], regime, train_module.recipe_of(regime, own), own, None, print)
        return module._key(job, external)

    assert key() == key(budgets="20") == key(draws=9)
    keys = [key(), key(other), key(regime="full_fine_tuning"), key(seed=4), key(target_sensitivity=0.9), key(epochs=9)]
    assert len(set(keys)) == len(keys)
    main_run = train_module._key("custom_cnn", TrainParameters(**SETTINGS), data, Recipe(2, 16, 0.01, 0))
    assert main_run not in keys


def test_the_command_trains_on_budgets(prepared, elsewhere, tmp_path):
    words = ["--label-budgets", "40", "--draws", "1", "--external-test", str(elsewhere), "--weights", "imagenet"]
    main([str(prepared), "transfer_learning", "--output", str(tmp_path / "made"), *words])
    found = LabelBudgets.load(tmp_path / "made")
    assert len(found.record["trainings"]) == 1
    assert found.images["split"].value_counts().to_dict() == {"test": 40, "external": 18}
    assert found.record["external"]["images"] == 18


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--draws", "3"], "--draws has no effect without --label-budgets"),
        (["--external-test", "x"], "--external-test has no effect without --label-budgets"),
        (["--target-sensitivity", "0.9"], "--target-sensitivity has no effect without --label-budgets"),
        (["--label-budgets", "--seeds", "3"], "--seeds has no effect beside --label-budgets"),
        (["--label-budgets", "10"], "'10' is not each a whole number of at least 20, ascending"),
        (["--label-budgets", "--draws", "100"], "'100' is not a whole number from 1 to 99"),
    ],
)
def test_a_mistake_of_the_command_is_one_line(prepared, tmp_path, capsys, words, message):
    with pytest.raises(SystemExit, match="2"):
        main([str(prepared), "custom_cnn", "--output", str(tmp_path / "made"), *words])
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_the_dataset_itself_is_no_external_test_set(prepared, tmp_path):
    with pytest.raises(UserError, match="give images of another hospital"):
        train_budgets(prepared, tmp_path / "made", "custom_cnn", LabelBudgetParameters(), external=prepared)


def in_place_of_training(monkeypatch, codes):
    """Lets a few lines of Python be the process that trains each regime; gives what each was told.

    Args:
        monkeypatch: of the test.
        codes: {regime: Python code, which finds the folder of its result in `output` and of its scratch in `scratch`}.
    """
    told = []

    def start(self, scratch):
        told.append((self._what, self._job))
        given = f"output = {self._job['output']!r}; scratch = {scratch!r}\n"
        return subprocess.Popen([sys.executable, "-c", given + codes[self._job["regime"]]])

    monkeypatch.setattr(supervision._Training, "_start", start)
    return told


CRASH = "import os; os.kill(os.getpid(), 11)"


def all_supervised(prepared, tmp_path, regimes, **settings):
    own = LabelBudgetParameters(**FAST | {"budgets": "40", "draws": 1} | settings)
    return budget_supervision.train_budgets(prepared, tmp_path / "made", regimes, own, tmp_path / "kept")


@pytest.fixture
def copied(prepared, tmp_path):
    """Code that writes a result and says where its checkpoints are, in the place of training."""
    record = train_budgets(
        prepared, tmp_path / "sample", "custom_cnn", LabelBudgetParameters(**FAST | {"budgets": "200"})
    )
    place = "import pathlib; pathlib.Path(scratch, 'place.txt').write_text(pathlib.Path(output).name)\n"
    return record, place + f"import shutil; shutil.copytree({str(tmp_path / 'sample')!r}, output)"


def test_a_failed_process_becomes_a_result_that_says_why(tmp_path, monkeypatch, capsys):
    told = in_place_of_training(monkeypatch, {"custom_cnn": CRASH})
    own = LabelBudgetParameters()
    found = budget_supervision.train_budgets(tmp_path, tmp_path / "made", ["custom_cnn"], own, external="e")
    assert [(what, job["external"]) for what, job in told] == [("label budgets", "e")]
    (folder,) = files.regime_folders(tmp_path / "made")
    assert found == {"custom_cnn": failed_training.load(folder)}
    assert (found["custom_cnn"]["regime"], found["custom_cnn"]["cause"]) == ("custom_cnn", "crash")
    assert "label budgets custom_cnn: failed, crash: " in capsys.readouterr().out
    with pytest.raises(UserError, match="has no trainings, since they failed: "):
        LabelBudgets.load(folder)


def test_a_regime_that_fails_does_not_keep_the_next_from_being_trained_in_the_given_order(
    copied, tmp_path, monkeypatch
):
    record, works = copied
    order = ["full_fine_tuning", "transfer_learning", "custom_cnn"]
    told = in_place_of_training(monkeypatch, dict.fromkeys(order, works) | {"transfer_learning": CRASH})
    for regime in order:
        (tmp_path / "kept" / regime).mkdir(parents=True)
    found = all_supervised(tmp_path, tmp_path, order)
    assert [job["regime"] for _, job in told] == list(found) == order
    assert [path.name for path in files.regime_folders(tmp_path / "made")] == [
        name for name in REGIMES if name in order
    ]
    assert found["custom_cnn"] == found["full_fine_tuning"] == record
    assert found["transfer_learning"]["cause"] == "crash"
    assert {path.name for path in (tmp_path / "kept").iterdir()} == set(order), "the task is to be made again"
    shutil.rmtree(tmp_path / "made")
    in_place_of_training(monkeypatch, dict.fromkeys(order, works))
    all_supervised(tmp_path, tmp_path, order)
    assert not list((tmp_path / "kept").iterdir())


@pytest.mark.parametrize(("number", "error"), [(signal.SIGTERM, SystemExit), (signal.SIGINT, KeyboardInterrupt)])
def test_a_request_to_stop_ends_all_even_where_it_comes_at_the_end_of_a_training(
    copied, tmp_path, monkeypatch, number, error
):
    stops = f"\nimport os, signal, time; signal.signal({number:d}, signal.SIG_IGN); os.kill(os.getppid(), {number:d})"
    stops += "; time.sleep(1)"
    told = in_place_of_training(monkeypatch, {"custom_cnn": copied[1] + stops})
    with pytest.raises(error):
        all_supervised(tmp_path, tmp_path, ["custom_cnn", "full_fine_tuning"])
    assert len(told) == 1
    assert not (tmp_path / "made").exists()
    told.clear()
    all_supervised(tmp_path, tmp_path, ["custom_cnn"])
    assert (tmp_path / "made").exists(), "the last one has finished all the same"


@pytest.mark.parametrize("regimes", [[], ["custom_cnn", "custom_cnn"], ["custom"]])
def test_regimes_that_cannot_be_trained_are_refused_before_the_first(tmp_path, monkeypatch, regimes):
    told = in_place_of_training(monkeypatch, {})
    with pytest.raises(UserError, match=r"the regimes are '.*', but must be one or several of .* each once"):
        all_supervised(tmp_path, tmp_path, regimes)
    assert not told
    assert not (tmp_path / "made").exists()


def test_an_artifact_without_a_folder_of_a_regime_is_another_one(tmp_path):
    (tmp_path / "seed-1").mkdir()
    with pytest.raises(
        UserError, match=r"has no folder of a regime \(custom_cnn, .*\): check which artifact you passed"
    ):
        files.regime_folders(tmp_path)


@pytest.mark.usefixtures("few_steps")
def test_what_a_regime_has_finished_is_kept_for_a_task_that_is_made_again(prepared, tmp_path, capsys):
    parameters = LabelBudgetParameters(**FAST | {"budgets": "40", "draws": 2})
    kept = []
    for _ in range(2):
        made = train_budgets(
            prepared, tmp_path / "made", "transfer_learning", parameters, tmp_path / "kept", keeping=kept.append
        )
    assert capsys.readouterr().out.count("taken from the checkpoints") == len(made["trainings"]) == 2
    (place,) = (tmp_path / "kept").iterdir()
    assert kept == [place.name] * 2
    assert not (place / "shared").exists(), "nothing needs the features any more"
    checkpoint_folder.remove(tmp_path / "kept", place.name, print)
    assert not list((tmp_path / "kept").iterdir())


@pytest.mark.slow
def test_a_process_of_its_own_trains_each_regime_and_a_mistake_is_told(prepared, tmp_path):
    regimes = ["custom_cnn", "transfer_learning"]
    found = all_supervised(prepared, tmp_path, regimes, weights="/nowhere/weights.h5")
    folders = files.regime_folders(tmp_path / "made")
    assert found["custom_cnn"] == LabelBudgets.load(folders[0]).record
    assert found["transfer_learning"]["cause"] == "error"
    assert [path.name for path in folders[1].iterdir()] == ["failed.json"]
    assert [path.name for path in (tmp_path / "kept").glob("*/budget-*")] == ["budget-40-draw-1-finished"]
