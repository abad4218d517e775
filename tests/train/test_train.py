"""Training really trains, says what it did, and repeats itself to the bit."""

import itertools
import json
import subprocess
import sys

import keras
import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from components.artifacts.names import REGIMES
from components.artifacts.prepared_dataset import PreparedDataset
from components.artifacts.trained_model import load_all
from components.console import UserError
from components.parameters import TrainParameters
from components.train import backbones, folding, networks
from components.train import train as room
from components.train.batches import StoredFeatures
from components.train.recipe import Recipe
from tests.train.conftest import write_prepared

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
    (training,) = room.train(*arguments, TrainParameters(**{"seeds": 1} | settings))
    return training


def train(*words):
    return subprocess.run(
        [sys.executable, "-m", "components.train", *map(str, words)], capture_output=True, text=True, check=False
    )


@pytest.mark.slow
def test_stored_views_are_augmented_but_for_the_first(prepared, tmp_path, monkeypatch):
    kept = []

    class Kept(StoredFeatures):
        def compute(self, *arguments, **options):
            kept.append(super().compute(*arguments, **options))
            return kept[-1]

    monkeypatch.setattr(room, "StoredFeatures", Kept)
    train_one(prepared, tmp_path / "model", "transfer_learning", weights="none", epochs=1, patience=0)
    ((train_views,), (validation_views,)) = kept[0].train, kept[0].validation
    assert len(validation_views) == 1
    assert len(train_views) == Recipe(epochs=1, batch_size=1, learning_rate=0.1, patience=0).stored_views > 1
    spread = train_views[0].std(axis=0).mean()
    for one, other in itertools.combinations(train_views, 2):
        assert np.abs(one - other).mean() > 0.05 * spread


@pytest.mark.parametrize(
    "regime",
    [REGIMES[0], *(pytest.param(regime, marks=pytest.mark.slow) for regime in REGIMES[1:])],
)
def test_every_regime_learns_to_see_the_stripes(regime, prepared, tmp_path):
    epochs = 4 if regime == "full_fine_tuning" else 12
    training = train_one(prepared, tmp_path / "model", regime, weights="none", epochs=epochs, batch_size=8, patience=0)
    probabilities, labels = scores(tmp_path / "model", prepared)
    if regime != "full_fine_tuning":  # from random weights, 48 steps are too few for a whole MobileNetV2
        # A frozen backbone with random weights tells less of the stripes once they are turned and shifted.
        assert roc_auc_score(labels, probabilities) > (0.9 if regime == "custom_cnn" else 0.75)
    assert training["cost"].keys() == COST
    assert all(value > 0 for name, value in training["cost"].items() if name != "peak_gpu_memory_mb")
    assert training["cost"]["trainable_parameters"] <= training["cost"]["parameters"]
    assert training["cost"]["epochs"] == epochs == sum(r["phase"] == "training" for r in training["history"])
    assert json.loads((tmp_path / "model" / "seed-1" / "training.json").read_text())["history"] == training["history"]
    seconds = [record["seconds"] for record in training["history"]]
    assert seconds == sorted(seconds)
    assert seconds[-1] <= training["cost"]["train_seconds"]
    warm_up = [record for record in training["history"] if record["phase"] == "head warm-up"]
    assert bool(warm_up) == (regime in ("partial_fine_tuning", "full_fine_tuning"))


@pytest.mark.parametrize(("learning_rate", "diverged"), [(0.999, True), (1e-3, False)])
def test_a_training_that_diverged_is_named_with_the_remedy(prepared, tmp_path, capsys, learning_rate, diverged):
    training = train_one(prepared, tmp_path / "m", "custom_cnn", epochs=4, learning_rate=learning_rate)
    assert training["diverged"] is diverged
    assert (
        "diverged, so its figures tell nothing of the regime: choose a lower learning rate" in capsys.readouterr().out
    ) is diverged


def test_the_best_epoch_is_the_one_that_is_saved(prepared, tmp_path):
    training = train_one(prepared, tmp_path / "model", "custom_cnn", epochs=6, batch_size=8, patience=0)
    history = training["history"]
    best = max(history, key=lambda record: (record["validation_auc"], -record["validation_loss"]))
    assert training["best_epoch"] == best["epoch"]
    validation = PreparedDataset.load(prepared).splits["validation"]
    model = keras.models.load_model(tmp_path / "model" / "seed-1" / "model.keras")
    probabilities = model.predict(np.asarray(validation.images)[..., None], verbose=0)[:, 0]
    assert roc_auc_score(validation.labels, probabilities) == pytest.approx(best["validation_auc"])


def test_training_stops_when_validation_no_longer_improves(tmp_path):
    """Labels that mean nothing: validation cannot improve for long."""
    folder = write_prepared(tmp_path / "noise")
    images = np.random.default_rng(0).integers(0, 255, (96, 32, 32)).astype(np.uint8)
    np.save(folder / "train.npy", images)
    training = train_one(folder, tmp_path / "model", "custom_cnn", epochs=40, batch_size=16, patience=2)
    assert training["cost"]["epochs"] == training["best_epoch"] + 2 < 40


@pytest.mark.slow
def test_partial_fine_tuning_changes_the_last_layers_alone(prepared, tmp_path, monkeypatch):
    before = {}
    build = room._build

    def remember(*arguments):
        built = build(*arguments)
        before.update({layer.name: layer.get_weights() for layer in built[0].network.layers})
        return built

    monkeypatch.setattr(room, "_build", remember)
    train_one(
        prepared, tmp_path / "m", "partial_fine_tuning", weights="none", epochs=1, batch_size=8, trainable_layers=3
    )
    saved = keras.models.load_model(tmp_path / "m" / "seed-1" / "model.keras").get_layer("MobileNetV2")
    changed = {
        name
        for name, weights in before.items()
        if any(not np.array_equal(a, b) for a, b in zip(weights, saved.get_layer(name).get_weights(), strict=True))
    }
    assert changed == {"Conv_1", "feature_scale", "logit"}


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
        ("custom_cnn", "none"),
        pytest.param("transfer_learning", "bundled", marks=pytest.mark.slow),
        pytest.param("transfer_learning", "none", marks=pytest.mark.slow),
        pytest.param("partial_fine_tuning", "bundled", marks=pytest.mark.slow),
        pytest.param("full_fine_tuning", "bundled", marks=pytest.mark.slow),
    ],
)
def test_a_seed_after_others_gives_what_it_gives_alone(regime, weights, prepared, tmp_path):
    settings = {"backbone": "MobileNetV2-0.5", "weights": weights, "epochs": 2, "batch_size": 8, "patience": 0}
    first, second = room.train(prepared, tmp_path / "both", regime, TrainParameters(**settings, seed=1, seeds=2))
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


def test_a_mistake_is_one_line_with_the_remedy_and_leaves_nothing_behind(prepared, tmp_path):
    done = train(prepared, "transfer_learning", "--output", tmp_path / "m", "--weights", "missing.h5")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "no weights file missing.h5: give a path, 'imagenet', 'bundled' or 'none'" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_regime_that_does_not_exist_is_refused(prepared, tmp_path):
    with pytest.raises(UserError, match="no regime 'none'"):
        train_one(prepared, tmp_path / "m", "none")


def test_a_dataset_that_is_not_one_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"dataset\.json"):
        train_one(tmp_path, tmp_path / "m", "custom_cnn")


class _Reached(Exception):  # noqa: N818 (no error: where the test stops)
    pass


@pytest.mark.parametrize(("weights", "calibrated"), [("none", True), ("bundled", True), ("file", False)])
def test_networks_that_saw_no_photograph_take_their_statistics_from_radiographs(
    prepared, tmp_path, monkeypatch, weights, calibrated
):
    if weights == "file":
        weights = str(tmp_path / "own.weights.h5")
        backbones.build_backbone("MobileNetV2-0.5", "none", 32).model.save_weights(weights)
    seen = []

    def stop(*_):
        raise _Reached

    monkeypatch.setattr(folding, "calibrate", lambda _, images: seen.append(images.shape))
    monkeypatch.setattr(networks, "on_backbone", stop)
    with pytest.raises(_Reached):
        train_one(
            prepared, tmp_path / "model", "transfer_learning", backbone="MobileNetV2-0.5", weights=weights, epochs=1
        )
    assert seen == ([(32, 32, 32, 3)] if calibrated else [])
