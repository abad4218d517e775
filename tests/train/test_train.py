"""Training really trains, says what it did, and repeats itself to the bit."""

import functools
import itertools
import json
import os
import signal
import subprocess
import sys

import keras
import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from components import console
from components.artifacts.names import REGIMES
from components.artifacts.prepared_dataset import PreparedDataset
from components.artifacts.trained_model import best_epoch_is_last, load_all
from components.console import UserError
from components.parameters import TrainParameters
from components.train import backbones, checkpoint, device, folding, networks, regimes, session
from components.train import train as train_module
from components.train.__main__ import main
from components.train.checkpoint import Checkpoint
from components.train.fitting import Phase
from components.train.interruption import Interruption
from components.train.recipe import Recipe
from components.train.stored_features import StoredFeatures
from tests.train.conftest import deeper_backbone, small_backbone, write_prepared

pytestmark = pytest.mark.medium

COST = {
    "train_seconds",
    "epochs",
    "images_per_second",
    "peak_memory_mb",
    "peak_gpu_memory_mb",
    "parameters",
    "trainable_parameters",
    "model_mb",
}


def scores(folder, prepared):
    test = PreparedDataset.load(prepared).splits["test"]
    model = keras.models.load_model(load_all(folder)[0].model_file)
    return model.predict(np.asarray(test.images)[..., None], verbose=0)[:, 0], test.labels


def train_one(*arguments, **settings):
    """Trains with one seed; gives the content of its `training.json`."""
    (training,) = train_module.train(*arguments, TrainParameters(**{"seeds": 1} | settings))
    return training


def train(*words):
    return subprocess.run(
        [sys.executable, "-m", "components.train", *map(str, words)], capture_output=True, text=True, check=False
    )


@pytest.fixture
def small(monkeypatch):
    """Trains with a backbone of ten layers in the place of MobileNetV2."""
    monkeypatch.setattr(backbones, "build_backbone", small_backbone)


SETTINGS = {"trainable_layers": 3, "batch_size": 16, "epochs": 2, "learning_rate": 0.01, "patience": 0}
STEPS = 96 // 16


@pytest.fixture(scope="module")
def train_whole(prepared, tmp_path_factory):
    """Trains a regime once, on a small backbone: folder, training record, and peak learning rate of each phase."""

    @functools.cache
    def train(regime):
        folder, peaks = tmp_path_factory.mktemp("trained") / "model", []

        class Spy(Phase):
            def __init__(self, model, batches, validation, epochs, learning_rate, recipe):
                peaks.append(learning_rate)
                super().__init__(model, batches, validation, epochs, learning_rate, recipe)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(backbones, "build_backbone", small_backbone)
            patch.setattr(session, "Phase", Spy)
            return folder, train_one(prepared, folder, regime, **SETTINGS), peaks

    return train


@pytest.fixture(params=REGIMES)
def trained(request, train_whole):
    """A training of each regime."""
    return train_whole(request.param)


def test_each_phase_of_each_regime_has_its_peak_learning_rate_and_its_number_of_epochs(trained):
    _, record, peaks = trained
    expected = {
        "custom_cnn": {"training": 0.03},
        "transfer_learning": {},
        "partial_fine_tuning": {"training": 0.003},
        "full_fine_tuning": {"head warm-up": 0.02, "training": 0.003},
    }[record["regime"]]
    assert peaks == pytest.approx(list(expected.values()))
    epochs = {"head warm-up": 5, "training": 2}
    phases = [(phase, epoch) for phase in expected for epoch in range(1, epochs[phase] + 1)]
    found = [(entry["phase"], entry["epoch"]) for entry in record["history"] if "strength" not in entry]
    assert found == phases


def test_the_head_on_frozen_features_is_solved_for_several_strengths(trained):
    _, record, _ = trained
    fits = [entry for entry in record["history"] if "strength" in entry]
    if record["regime"] in ("custom_cnn", "full_fine_tuning"):
        assert not fits
        assert "head" not in record
        return
    assert {entry["phase"] for entry in fits} == {
        "training" if record["regime"] == "transfer_learning" else "head warm-up"
    }
    assert [entry["epoch"] for entry in fits] == list(range(1, len(fits) + 1))
    assert len({entry["strength"] for entry in fits}) == len(fits) > 1
    assert record["head"] in [{"depths": entry["depths"], "strength": entry["strength"]} for entry in fits]
    assert record["head"]["depths"] == ["out"]
    if record["regime"] == "transfer_learning":
        assert record["head"]["strength"] == fits[record["best_epoch"] - 1]["strength"]


def test_a_training_record_has_every_cost_and_is_the_one_on_disk(trained):
    folder, record, _ = trained
    cost = record["cost"]
    assert cost.keys() == COST
    assert all(value > 0 for name, value in cost.items() if name not in ("peak_gpu_memory_mb", "epochs"))
    assert cost["epochs"] == (0 if record["regime"] == "transfer_learning" else 2)
    assert record["deterministic"] is True, "there is no GPU"
    assert cost["trainable_parameters"] <= cost["parameters"]
    assert (cost["trainable_parameters"] == 9) == (record["regime"] == "transfer_learning"), "8 features and a bias"
    assert json.loads((folder / "seed-1" / "training.json").read_text()) == record
    seconds = [entry["seconds"] for entry in record["history"]]
    assert seconds == sorted(seconds)
    assert seconds[-1] <= cost["train_seconds"]


def test_the_best_epoch_is_the_one_that_is_saved(trained, prepared):
    folder, record, _ = trained
    history = [entry for entry in record["history"] if entry["phase"] == "training"]
    highest = max(history, key=lambda entry: (entry["validation_auc"], -entry["validation_loss"]))
    best = history[record["best_epoch"] - 1]
    assert record["highest_auc_epoch"] == highest["epoch"]
    assert best["validation_loss"] <= highest["validation_loss"]
    validation = PreparedDataset.load(prepared).splits["validation"]
    model = keras.models.load_model(folder / "seed-1" / "model.keras")
    probabilities = model.predict(np.asarray(validation.images)[..., None], verbose=0)[:, 0]
    assert roc_auc_score(validation.labels, probabilities) == pytest.approx(best["validation_auc"])


@pytest.mark.usefixtures("small")
@pytest.mark.slow
def test_partial_fine_tuning_changes_the_last_layers_alone(prepared, tmp_path, monkeypatch):
    before, build = {}, regimes.build

    def remember(*arguments):
        built = build(*arguments)
        before.update({layer.name: layer.get_weights() for layer in built[0].network.layers})
        return built

    monkeypatch.setattr(regimes, "build", remember)
    settings = {"epochs": 1, "batch_size": 32, "trainable_layers": 3}
    train_one(prepared, tmp_path / "m", "partial_fine_tuning", **settings)
    saved = keras.models.load_model(tmp_path / "m" / "seed-1" / "model.keras").get_layer("MobileNetV2")
    changed = {
        name
        for name, weights in before.items()
        if any(not np.array_equal(a, b) for a, b in zip(weights, saved.get_layer(name).get_weights(), strict=True))
    }
    assert changed == {"last", "feature_scale", "logit"}


@pytest.mark.usefixtures("small")
def test_stored_views_are_augmented_but_for_the_first(prepared, tmp_path, monkeypatch):
    kept = []

    class Kept(StoredFeatures):
        def compute(self, *arguments, **options):
            kept.append(super().compute(*arguments, **options))
            return kept[-1]

    monkeypatch.setattr(train_module, "StoredFeatures", Kept)
    train_one(prepared, tmp_path / "model", "transfer_learning", weights="none", epochs=2, patience=0)
    ((train_views,), (validation_views,)) = kept[0].train, kept[0].validation
    assert len(validation_views) == 1
    assert len(train_views) == Recipe(epochs=2, batch_size=1, learning_rate=0.1, patience=0).stored_views > 1
    spread = train_views[0].std(axis=0).mean()
    for one, other in itertools.combinations(train_views, 2):
        assert np.abs(one - other).mean() > 0.05 * spread


@pytest.mark.parametrize(
    ("regime", "epochs", "views"),
    [
        ("transfer_learning", 1, 1),
        ("partial_fine_tuning", 1, 1),
        ("partial_fine_tuning", 2, 2),
        ("full_fine_tuning", 1, 2),
    ],
)
def test_a_training_of_one_epoch_stores_the_images_alone(regime, epochs, views):
    recipe = train_module.recipe_of(regime, TrainParameters(epochs=epochs))
    assert recipe.stored_views == recipe.as_dict()["stored_views"] == views


@pytest.mark.slow
@pytest.mark.parametrize("regime", REGIMES)
def test_every_regime_learns_to_see_the_stripes(regime, prepared, tmp_path):
    epochs = 4 if regime == "full_fine_tuning" else 12
    train_one(prepared, tmp_path / "model", regime, weights="none", epochs=epochs, batch_size=8, patience=0)
    probabilities, labels = scores(tmp_path / "model", prepared)
    assert np.isfinite(probabilities).all()
    if regime != "full_fine_tuning":  # from random weights, 48 steps are too few for a whole MobileNetV2
        # A frozen backbone with random weights tells less of the stripes once they are turned and shifted.
        assert roc_auc_score(labels, probabilities) > (0.9 if regime == "custom_cnn" else 0.75)


@pytest.mark.slow
def test_a_network_learns_to_see_the_stripes(prepared, tmp_path):
    train_one(prepared, tmp_path / "model", "custom_cnn", epochs=6, batch_size=8, patience=0)
    probabilities, labels = scores(tmp_path / "model", prepared)
    assert roc_auc_score(labels, probabilities) > 0.9


@pytest.mark.parametrize(
    ("learning_rate", "diverged"), [(0.999, True), pytest.param(1e-3, False, marks=pytest.mark.slow)]
)
def test_a_training_that_diverged_is_named_with_the_remedy(prepared, tmp_path, capsys, learning_rate, diverged):
    training = train_one(prepared, tmp_path / "m", "custom_cnn", epochs=4, learning_rate=learning_rate)
    assert training["diverged"] is diverged
    printed = capsys.readouterr().out
    assert ("the best epoch is the last one" in printed) == best_epoch_is_last(training)
    assert (
        "diverged, so its results say nothing about the regime: choose a lower learning rate" in printed
    ) is diverged


@pytest.mark.slow
def test_training_stops_when_validation_no_longer_improves(tmp_path):
    """Labels that mean nothing: validation cannot improve for long."""
    folder = write_prepared(tmp_path / "noise")
    images = np.random.default_rng(0).integers(0, 255, (96, 32, 32)).astype(np.uint8)
    np.save(folder / "train.npy", images)
    training = train_one(folder, tmp_path / "model", "custom_cnn", epochs=40, batch_size=16, patience=2)
    assert training["cost"]["epochs"] == training["highest_auc_epoch"] + 2 < 40


@pytest.mark.slow
@pytest.mark.parametrize("regime", ["custom_cnn", "partial_fine_tuning"])
def test_one_seed_gives_identical_predictions_in_two_processes_and_another_seed_others(regime, prepared, tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        settings = ("--weights", "none", "--epochs", 1, "--batch-size", 8, "--seed", seed, "--seeds", 1)
        done = train(prepared, regime, "--output", tmp_path / name, *settings)
        assert done.returncode == 0, done.stderr
    a, b, c = (scores(tmp_path / name, prepared)[0] for name in "abc")
    assert np.array_equal(a, b)
    assert not np.array_equal(a, c)


@pytest.mark.parametrize(
    ("regime", "weights"),
    [
        pytest.param("custom_cnn", "none", marks=pytest.mark.slow),
        pytest.param("transfer_learning", "bundled", marks=pytest.mark.slow),
        pytest.param("transfer_learning", "none", marks=pytest.mark.slow),
        pytest.param("partial_fine_tuning", "bundled", marks=pytest.mark.slow),
        pytest.param("full_fine_tuning", "bundled", marks=pytest.mark.slow),
    ],
)
def test_a_seed_after_others_gives_what_it_gives_alone_with_real_backbones(regime, weights, prepared, tmp_path):
    check_a_seed_after_others(regime, weights, prepared, tmp_path)


@pytest.mark.slow
@pytest.mark.usefixtures("small")
def test_a_seed_after_others_gives_what_it_gives_alone(prepared, tmp_path):
    check_a_seed_after_others("transfer_learning", "bundled", prepared, tmp_path)


def check_a_seed_after_others(regime, weights, prepared, tmp_path):
    settings = {"backbone": "MobileNetV2-0.5", "weights": weights, "epochs": 2, "batch_size": 8, "patience": 0}
    both = TrainParameters(**settings, seed=1, seeds=2)
    first, second = train_module.train(prepared, tmp_path / "both", regime, both)
    alone = train_one(prepared, tmp_path / "alone", regime, **settings, seed=2)
    assert (first["seed"], second["seed"]) == (1, 2)

    def history(training):
        return [{name: value for name, value in record.items() if name != "seconds"} for record in training["history"]]

    assert history(second) == history(alone) != history(first)
    networks_ = [keras.models.load_model(tmp_path / name / "seed-2" / "model.keras") for name in ("both", "alone")]
    for one, other in zip(*(network.get_weights() for network in networks_), strict=True):
        np.testing.assert_array_equal(one, other)
    assert second["made_by"]["arguments"] == alone["made_by"]["arguments"]
    # Memory is that of the task, whichever seed needed it.
    assert first["cost"]["peak_memory_mb"] == second["cost"]["peak_memory_mb"]


def test_a_mistake_is_one_line_with_the_remedy_and_leaves_nothing_behind(prepared, tmp_path, capsys):
    words = [str(prepared), "transfer_learning", "--output", str(tmp_path / "m"), "--weights", "missing.h5"]
    with pytest.raises(SystemExit, match="2"):
        main(words)
    printed = capsys.readouterr().err
    assert "no weights file missing.h5: give a path, 'imagenet', 'bundled' or 'none'" in printed
    assert "Traceback" not in printed
    assert list(tmp_path.iterdir()) == []


def test_a_regime_that_does_not_exist_is_refused(prepared, tmp_path):
    with pytest.raises(UserError, match="no regime 'none'"):
        train_one(prepared, tmp_path / "m", "none")


def test_a_dataset_that_is_not_one_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"dataset\.json"):
        train_one(tmp_path, tmp_path / "m", "custom_cnn")


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(("weights", "calibrated"), [("none", True), ("bundled", True), ("imagenet", False)])
def test_backbones_without_weights_of_photographs_take_their_statistics_from_training_images(
    prepared, weights, calibrated
):
    recipe = Recipe(epochs=1, batch_size=8, learning_rate=0.1, patience=0)
    data, kept = PreparedDataset.load(prepared), Checkpoint(None, print)
    current = session.Session(data, "transfer_learning", recipe, 1, {}, kept, Interruption(), False)
    network, _, _ = regimes.build(current, TrainParameters(weights=weights))

    device.set_seed(1)
    expected = small_backbone(weights=weights)
    images = np.load(prepared / "train.npy")[np.linspace(0, 95, 32).round().astype(int)]
    inputs = keras.ops.convert_to_numpy(networks.backbone_front(expected)(images[..., None]))
    if calibrated:
        folding.calibrate(expected.model, inputs)
    pooled = expected.model(inputs, training=False).numpy().mean(axis=(1, 2))
    found = keras.Model(network.network.input, network.network.get_layer("pool_out").output)(inputs)
    np.testing.assert_allclose(found, pooled, rtol=1e-3, atol=1e-4)


def test_time_for_checkpoints_of_a_session_that_failed_is_no_time_of_the_next_one(prepared):
    recipe = Recipe(epochs=1, batch_size=8, learning_rate=0.1, patience=0)
    data, kept = PreparedDataset.load(prepared), Checkpoint(None, print)
    kept.seconds = 1000.0
    current = session.Session(data, "custom_cnn", recipe, 1, {}, kept, Interruption(), False)
    assert 0 <= current.seconds() < 100
    assert current.checkpoint_seconds() == 1000


@pytest.fixture
def deeper(monkeypatch):
    """Trains with a backbone of two resolutions in the place of MobileNetV2."""
    monkeypatch.setattr(backbones, "build_backbone", deeper_backbone)


@pytest.mark.usefixtures("deeper")
def test_the_head_sees_several_depths_and_the_saved_model_has_no_layers_above_them(prepared, tmp_path, monkeypatch):
    used = []
    cut_off = networks.without_depths

    def without_depths(network, base, chosen, recipe):
        chosen = ["out"]  # whatever validation says
        widths = network.widths
        kernel, bias = network.network.get_layer(networks.HEAD).get_weights()
        kernel[widths["out"] :] = 0
        network.network.get_layer(networks.HEAD).set_weights([kernel, bias])
        used.append(network)
        return cut_off(network, base, chosen, recipe)

    record = train_one(prepared, tmp_path / "whole", "transfer_learning", weights="imagenet", **SETTINGS)
    tried = {tuple(entry["depths"]) for entry in record["history"]}
    assert {("out",), ("deep",)} <= tried <= {("out",), ("deep",), ("out", "deep")}
    monkeypatch.setattr(networks, "without_depths", without_depths)
    record = train_one(prepared, tmp_path / "model", "transfer_learning", weights="imagenet", **SETTINGS)
    probabilities, _ = scores(tmp_path / "model", prepared)
    images = np.asarray(PreparedDataset.load(prepared).splits["test"].images, np.float32)[..., None]
    logits = np.asarray(used[0].logits()(images))[:, 0]
    np.testing.assert_allclose(probabilities, 1 / (1 + np.exp(-logits)), atol=1e-4)
    saved = keras.models.load_model(tmp_path / "model" / "seed-1" / "model.keras").get_layer("MobileNetV2")
    assert {"out", "pool_out"} <= {layer.name for layer in saved.layers}
    assert not {"down", "deep", "pool_deep"} & {layer.name for layer in saved.layers}
    assert record["cost"]["parameters"] == used[0].parameters - 8 - 3 * 3 * 8 - 4 * 8


@pytest.mark.usefixtures("deeper")
@pytest.mark.parametrize("change", [{"epochs": 5}, {"learning_rate": 0.5}, {"patience": 1}, {"batch_size": 7}])
def test_transfer_learning_depends_on_no_setting_of_epochs_and_steps(prepared, tmp_path, change):
    for name, settings in (("one", SETTINGS), ("other", SETTINGS | change)):
        train_one(prepared, tmp_path / name, "transfer_learning", weights="imagenet", **settings)
    assert scores(tmp_path / "one", prepared)[0].tobytes() == scores(tmp_path / "other", prepared)[0].tobytes()


@pytest.mark.slow
@pytest.mark.usefixtures("deeper")
@pytest.mark.parametrize("regime", ["partial_fine_tuning", "full_fine_tuning"])
def test_with_several_depths_too_a_seed_after_others_and_after_a_kill_is_what_it_is_alone(
    prepared, tmp_path, interrupted, regime
):
    pauses = {"partial_fine_tuning": 3, "full_fine_tuning": 10}[regime] * (STEPS + 1)  # in the second seed
    folder = interrupted(regime, pauses, seeds=2, weights="imagenet", **SETTINGS)
    train_one(prepared, tmp_path / "alone", regime, seed=2, weights="imagenet", **SETTINGS)
    own = scores(folder / "seed-2", prepared)[0]
    assert own.tobytes() == scores(tmp_path / "alone", prepared)[0].tobytes()


class Killed(BaseException):
    """Stands for SIGKILL: nothing in the code handles it."""


@pytest.fixture
def interrupted(prepared, tmp_path, monkeypatch):
    """Trains with checkpoints, ends after some pauses as SIGKILL would, and goes on; gives the folder of models."""

    def train(regime, pauses, **settings):
        left = iter(range(pauses))

        class Ending(Phase):
            def run(self, report, pause):
                def pause_or_end(complete):
                    pause(complete)
                    if next(left, None) is None:
                        raise Killed

                return super().run(report, pause_or_end)

        arguments = (prepared, tmp_path / "model", regime, TrainParameters(**settings), tmp_path / "checkpoints")
        with monkeypatch.context() as patch:
            patch.setattr(checkpoint, "SHARE", 1e9)  # every epoch is saved, however fast
            patch.setattr(checkpoint, "WITHIN_EPOCH", 0.0)  # and every step
            patch.setattr(session, "Phase", Ending)
            with pytest.raises(Killed):
                train_module.train(*arguments)
        assert not (tmp_path / "model").exists()
        train_module.train(*arguments)
        assert not list((tmp_path / "checkpoints").iterdir())
        return tmp_path / "model"

    return train


@pytest.mark.slow
@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(
    ("regime", "pauses"),
    [
        pytest.param("custom_cnn", 3, marks=pytest.mark.slow),  # in the first epoch
        pytest.param("partial_fine_tuning", 0, marks=pytest.mark.slow),  # after the first step
        pytest.param("partial_fine_tuning", STEPS + 1, marks=pytest.mark.slow),
        pytest.param("full_fine_tuning", 2 * (STEPS + 1) + 2, marks=pytest.mark.slow),  # in the warm-up of the head
        pytest.param("full_fine_tuning", 5 * (STEPS + 1), marks=pytest.mark.slow),  # at its end
        ("full_fine_tuning", 6 * (STEPS + 1) + 4),
    ],
)
def test_a_training_that_was_killed_ends_with_the_same_predictions(prepared, train_whole, interrupted, regime, pauses):
    folder = interrupted(regime, pauses, seeds=1, **SETTINGS)
    whole, expected, _ = train_whole(regime)
    (found,) = (model.training for model in load_all(folder))
    assert found["resumed"] == 1
    assert scores(folder, prepared)[0].tobytes() == scores(whole, prepared)[0].tobytes()
    without_times = [[entry | {"seconds": 0} for entry in record["history"]] for record in (found, expected)]
    assert without_times[0] == without_times[1]
    assert found["best_epoch"] == expected["best_epoch"]
    seconds = [entry["seconds"] for entry in found["history"]]
    assert seconds == sorted(seconds)


@pytest.mark.slow
@pytest.mark.usefixtures("small")
def test_a_seed_that_is_finished_is_taken_and_the_next_one_goes_on(prepared, tmp_path, interrupted, capsys):
    folder = interrupted("partial_fine_tuning", 2 * (STEPS + 1) + 3, seeds=2, **SETTINGS)
    output = capsys.readouterr().out
    assert "seed 1: taken from the checkpoints" in output
    assert "seed 2: training: continues after epoch 0 and 4 steps" in output
    for seed, resumed in ((1, 0), (2, 1)):
        alone = train_one(prepared, tmp_path / f"alone-{seed}", "partial_fine_tuning", seed=seed, **SETTINGS)
        (found,) = (model.training for model in load_all(folder / f"seed-{seed}"))
        assert found.get("resumed", 0) == resumed
        assert found["history"][-1]["validation_loss"] == alone["history"][-1]["validation_loss"]
        own, expected = (scores(path, prepared)[0] for path in (folder / f"seed-{seed}", tmp_path / f"alone-{seed}"))
        assert own.tobytes() == expected.tobytes()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("pauses", "where"), [(3, "epoch 0 and 4 steps"), pytest.param(STEPS, "epoch 1", marks=pytest.mark.slow)]
)
def test_sigterm_saves_at_the_next_pause_although_nobody_reads_the_output(
    prepared, tmp_path, monkeypatch, capsys, pauses, where
):
    """A cluster that deletes a pod sends SIGTERM to all of its processes, and what reads the output ends at once."""
    left, say = iter(range(pauses)), console.say

    def broken_pipe(*_):
        raise BrokenPipeError

    class Terminated(Phase):
        def run(self, report, pause):
            def pause_after_signal(complete):
                if next(left, None) is None:
                    monkeypatch.setattr(console, "say", broken_pipe)
                    os.kill(os.getpid(), signal.SIGTERM)
                pause(complete)

            return super().run(report, pause_after_signal)

    arguments = (prepared, tmp_path / "model", "custom_cnn", TrainParameters(seeds=1, **SETTINGS), tmp_path / "saved")
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint.Checkpoint, "due", lambda *_, **__: False)
        patch.setattr(session, "Phase", Terminated)
        with pytest.raises(SystemExit) as ended:
            train_module.train(*arguments)
    assert ended.value.code == 143
    assert not (tmp_path / "model").exists()
    monkeypatch.setattr(console, "say", say)
    train_module.train(*arguments)
    assert f"continues after {where}" in capsys.readouterr().out
    (record,) = (model.training for model in load_all(tmp_path / "model"))
    expected = train_one(prepared, tmp_path / "whole", "custom_cnn", **SETTINGS)
    losses = [[entry["train_loss"] for entry in one["history"]] for one in (record, expected)]
    assert losses[0] == losses[1]


@pytest.mark.slow
@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(
    "damage",
    [
        lambda state: state.update(phase="other"),
        lambda state: state.pop("state"),
        lambda state: state["state"]["variables"].pop(),
        lambda state: state["state"]["variables"].__setitem__(0, np.zeros(3, np.float32)),
        lambda state: state["state"].update(losses=[0.1] * 1000),
        lambda state: state["state"]["order"].update(bit_generator="MT19937"),
    ],
    ids=["phase", "no state", "fewer variables", "another shape", "too many steps", "another generator"],
)
def test_a_whole_checkpoint_of_something_else_starts_the_training_anew(
    prepared, tmp_path, interrupted, monkeypatch, damage
):
    load = checkpoint.Checkpoint.load

    def damaged(self, name):
        found = load(self, name)
        if name == "state" and found:
            damage(found)
        return found

    monkeypatch.setattr(checkpoint.Checkpoint, "load", damaged)
    folder = interrupted("custom_cnn", 3, seeds=1, **SETTINGS)
    train_one(prepared, tmp_path / "whole", "custom_cnn", **SETTINGS)
    assert scores(folder, prepared)[0].tobytes() == scores(tmp_path / "whole", prepared)[0].tobytes()
    assert load_all(folder)[0].training.get("resumed", 0) == 0


@pytest.mark.slow
@pytest.mark.usefixtures("small")
def test_stored_features_are_taken_from_the_checkpoint(prepared, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "STORE_RATE", 1e12)
    computed = []
    compute = StoredFeatures.compute
    monkeypatch.setattr(StoredFeatures, "compute", lambda *a, **k: computed.append(1) or compute(*a, **k))
    monkeypatch.setattr(checkpoint, "SHARE", 1e9)
    settings = TrainParameters(seeds=1, **SETTINGS)
    arguments = (prepared, tmp_path / "model", "transfer_learning", settings, tmp_path / "checkpoints")

    def kill(*_):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(session, "fit_head", kill)
        with pytest.raises(Killed):
            train_module.train(*arguments)
    train_module.train(*arguments)
    assert len(computed) == 1
    train_one(prepared, tmp_path / "whole", "transfer_learning", **SETTINGS)
    assert scores(tmp_path / "model", prepared)[0].tobytes() == scores(tmp_path / "whole", prepared)[0].tobytes()


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(
    "change",
    [
        {"epochs": 3},
        {"learning_rate": 0.02},
        {"batch_size": 8},
        {"patience": 1},
        {"weights": "imagenet"},
        {"deterministic": True},
    ],
)
def test_other_settings_have_other_checkpoints(prepared, change):
    data, recipe = PreparedDataset.load(prepared), Recipe(epochs=2, batch_size=16, learning_rate=0.01, patience=0)
    settings = SETTINGS | {"weights": "none"}
    first, other = (
        train_module._key("custom_cnn", TrainParameters(**own), data, recipe) for own in (settings, settings | change)
    )
    assert first != other
    for seeds in ({"seed": 7}, {"seeds": 5}):
        assert train_module._key("custom_cnn", TrainParameters(**settings | seeds), data, recipe) == first


def test_another_file_of_weights_has_other_checkpoints(prepared, tmp_path):
    data, recipe = PreparedDataset.load(prepared), Recipe(epochs=2, batch_size=16, learning_rate=0.01, patience=0)
    keys = []
    for content in ("one", "other"):
        (tmp_path / "weights.h5").write_text(content)
        parameters = TrainParameters(weights=str(tmp_path / "weights.h5"))
        keys.append(train_module._key("full_fine_tuning", parameters, data, recipe))
    assert keys[0] != keys[1]
