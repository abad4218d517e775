"""The search for learning rate and trainable layers: what is kept is what that training alone gives, to the bit."""

import shutil

import keras
import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from components.artifacts import trained_model, tuning
from components.artifacts.prepared_dataset import PreparedDataset
from components.artifacts.trained_model import load_all
from components.console import UserError
from components.parameters import TrainParameters, times
from components.train import backbones, candidates, checkpoint, session
from components.train import train as train_module
from components.train.candidates import Setting, Trained, Tried, settings
from components.train.fitting import Phase
from components.train.mirror import NAMES
from components.train.selection import Candidate
from components.train.stored_features import StoredFeatures
from components.train.validation import DivergedError
from tests.train.conftest import small_backbone
from tests.train.test_train import SETTINGS, Killed, scores

pytestmark = pytest.mark.medium

RATES = {"tune_learning_rate": "0.1 2"}


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    """Trains with a backbone of ten layers in the place of MobileNetV2."""
    monkeypatch.setattr(backbones, "build_backbone", small_backbone)


def train(prepared, folder, regime, checkpoints="", **changes):
    return train_module.train(
        prepared, folder, regime, TrainParameters(**SETTINGS | {"seeds": 1} | changes), checkpoints
    )


def without_times(history):
    return [entry | {"seconds": 0} for entry in history]


@pytest.fixture(scope="module")
def searched(prepared, tmp_path_factory):
    """A search of partial fine-tuning over both, with the numbers of calls that computed features."""
    folder, computed = tmp_path_factory.mktemp("searched") / "model", []
    compute = StoredFeatures.compute
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(backbones, "build_backbone", small_backbone)
        patch.setattr(StoredFeatures, "compute", lambda *a, **k: computed.append(1) or compute(*a, **k))
        (record,) = train(
            prepared, folder, "partial_fine_tuning", weights="imagenet", tune_trainable_layers="3 6", **RATES
        )
    return folder, record, len(computed)


def chosen_of(record):
    return record["tuning"]["candidates"][record["tuning"]["chosen"] - 1]


def test_every_combination_is_tried_and_the_kept_one_is_that_training_alone_to_the_bit(searched, prepared, tmp_path):
    folder, record, _ = searched
    tried = record["tuning"]["candidates"]
    assert [(own["trainable_layers"], own["multiple"], own["learning_rate"]) for own in tried] == [
        *((3, 0.1, 0.001), (3, 2.0, 0.02)),
        *((6, 0.1, 0.001), (6, 2.0, 0.02)),
    ]
    assert record["tuning"]["varied"] == ["learning_rate", "trainable_layers"]
    assert record["tuning"]["given"] == {"learning_rate": 0.01, "trainable_layers": 3}
    kept = chosen_of(record)
    own = {"learning_rate": kept["learning_rate"], "trainable_layers": kept["trainable_layers"]}
    assert {name: record["made_by"]["arguments"][name] for name in own} == own
    assert record["recipe"]["learning_rate"] == kept["learning_rate"]
    (alone,) = train(prepared, tmp_path / "alone", "partial_fine_tuning", weights="imagenet", **own)
    assert scores(folder, prepared)[0].tobytes() == scores(tmp_path / "alone", prepared)[0].tobytes()
    assert without_times(record["history"]) == without_times(alone["history"])
    for name in ("best_epoch", "highest_auc_epoch", "head", "diverged"):
        assert record[name] == alone[name]
    assert "tuning" not in alone
    assert not (tmp_path / "alone" / "seed-1" / tuning.SCORES).exists()
    assert sorted(path.name for path in folder.iterdir()) == ["models.json", "seed-1"]


def test_the_cost_is_that_of_all_candidates(searched):
    _, record, computed = searched
    tried, cost = record["tuning"]["candidates"], record["cost"]
    assert cost["train_seconds"] == pytest.approx(sum(own["seconds"] for own in tried))
    assert cost["train_seconds"] > record["history"][-1]["seconds"]
    assert [own["epochs"] for own in tried] == [2, 2, 2, 2]
    assert cost["epochs"] == 8
    assert cost["images_per_second"] == pytest.approx(8 * 96 / cost["train_seconds"])
    assert computed == 2 * 2, "features at the cut and pooled ones, once for each number of layers"


def test_scores_of_every_candidate_are_saved_and_the_rule_for_epochs_chooses(searched, prepared):
    folder, record, _ = searched
    validation = PreparedDataset.load(prepared).splits["validation"]
    table = tuning.load(folder / "seed-1", trained_model.KIND)
    assert table["image"].tolist() == validation.index["image"].tolist()
    tried = record["tuning"]["candidates"]
    assert list(table.columns) == ["image", *(str(number + 1) for number in range(len(tried)))]
    for number, own in enumerate(tried, 1):
        assert roc_auc_score(validation.labels, table[str(number)]) == pytest.approx(own["validation_auc"], abs=1e-3)
    model = keras.models.load_model(folder / "seed-1" / "model.keras")
    probabilities = model.predict(np.asarray(validation.images)[..., None], verbose=0)[:, 0]
    logits = table[str(record["tuning"]["chosen"])]
    np.testing.assert_allclose(probabilities, 1 / (1 + np.exp(-logits)), atol=1e-5)
    kept = chosen_of(record)
    entry = [own for own in record["history"] if own["phase"] == "training"][record["best_epoch"] - 1]
    assert (kept["validation_auc"], kept["validation_loss"]) == (entry["validation_auc"], entry["validation_loss"])
    assert kept["best_epoch"] == record["best_epoch"]
    better = [own for own in tried if own["validation_auc"] >= kept["validation_auc"]]
    assert kept["validation_loss"] == min(own["validation_loss"] for own in better)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("regime", "factor"), [("custom_cnn", 3), pytest.param("full_fine_tuning", 0.3, marks=pytest.mark.slow)]
)
def test_a_seed_after_others_gives_what_it_gives_alone(prepared, tmp_path, monkeypatch, regime, factor):
    peaks = []

    class Spy(Phase):
        def __init__(self, model, batches, validation, epochs, learning_rate, recipe):
            peaks.append(learning_rate)
            super().__init__(model, batches, validation, epochs, learning_rate, recipe)

    monkeypatch.setattr(session, "Phase", Spy)
    changes = {"weights": "imagenet", "epochs": 1, **RATES}
    _, second = train(prepared, tmp_path / "both", regime, seeds=2, **changes)
    assert set(np.round(peaks, 9)) >= {round(0.001 * factor, 9), round(0.02 * factor, 9)}
    (alone,) = train(prepared, tmp_path / "alone", regime, seed=2, **changes)
    assert (
        scores(tmp_path / "both" / "seed-2", prepared)[0].tobytes() == scores(tmp_path / "alone", prepared)[0].tobytes()
    )

    def compared(record):
        found = [own | {"seconds": 0} for own in record["tuning"]["candidates"]]
        return found, record["tuning"]["chosen"], record["made_by"]["arguments"]

    assert compared(second) == compared(alone)
    assert "trainable_layers" not in second["tuning"]["candidates"][0]


@pytest.mark.slow
def test_nothing_of_the_test_split_counts(searched, prepared, tmp_path):
    changed = tmp_path / "changed"
    shutil.copytree(prepared, changed)
    index = (changed / "test.csv").read_text().splitlines()
    flipped = [line.replace(",0,", ",x,").replace(",1,", ",0,").replace(",x,", ",1,") for line in index]
    assert flipped != index
    (changed / "test.csv").write_text("\n".join(flipped) + "\n")
    np.save(changed / "test.npy", 255 - np.load(changed / "test.npy"))
    folder, record, _ = searched
    changes = {"weights": "imagenet", "tune_trainable_layers": "3 6", **RATES}
    (other,) = train(changed, tmp_path / "model", "partial_fine_tuning", **changes)
    assert other["tuning"]["chosen"] == record["tuning"]["chosen"]
    assert scores(tmp_path / "model", prepared)[0].tobytes() == scores(folder, prepared)[0].tobytes()


@pytest.mark.slow
def test_an_interrupted_search_goes_on_and_trains_no_finished_candidate_again(prepared, tmp_path, monkeypatch, capsys):
    """It is killed in the second candidate of the second seed."""
    phases, changes = [], {"seeds": 2, **RATES}

    class Ending(Phase):
        def run(self, report, pause):
            phases.append(1)

            def pause_or_end(complete):
                pause(complete)
                if len(phases) == 4 and complete:
                    raise Killed

            return super().run(report, pause_or_end)

    where = tmp_path / "checkpoints"
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "SHARE", 1e9)
        patch.setattr(session, "Phase", Ending)
        with pytest.raises(Killed):
            train(prepared, tmp_path / "model", "custom_cnn", where, **changes)
    left = {path.relative_to(next(where.iterdir())).as_posix() for path in where.rglob("*") if path.is_file()}
    assert all(NAMES.fullmatch(name) for name in left - {"lock"})
    assert {name.split("/")[0] for name in left - {"lock"}} == {
        *("seed-1-finished", "seed-2-candidate-1-finished", "seed-2-candidate-2"),
    }
    assert not list(tmp_path.glob("*model*"))
    phases.clear()
    with monkeypatch.context() as patch:
        patch.setattr(session, "Phase", Ending)
        found = train(prepared, tmp_path / "model", "custom_cnn", where, **changes)
    assert len(phases) == 1
    assert "seed 2, learning rate 0.001: taken from the checkpoints" in capsys.readouterr().out
    assert not list(where.iterdir())
    whole = train(prepared, tmp_path / "whole", "custom_cnn", **changes)
    for one, other in zip(found, whole, strict=True):
        seed = f"seed-{one['seed']}"
        for name in ("chosen", "given", "varied"):
            assert one["tuning"][name] == other["tuning"][name]
        assert (tmp_path / "model" / seed / tuning.SCORES).read_text() == (
            tmp_path / "whole" / seed / tuning.SCORES
        ).read_text()
        assert one["cost"]["epochs"] == other["cost"]["epochs"] == 4
        own, expected = (scores(tmp_path / name / seed, prepared)[0] for name in ("model", "whole"))
        assert own.tobytes() == expected.tobytes()
    assert found[1]["resumed"] == 1
    assert len(load_all(tmp_path / "model")) == 2


@pytest.mark.slow
def test_a_finished_candidate_without_its_scores_is_trained_again(prepared, tmp_path, monkeypatch):
    class Ending(Phase):
        def run(self, report, pause):
            if peak(self) > 0.01:
                raise Killed
            return super().run(report, pause)

    def peak(phase):
        return phase.rate

    init = Phase.__init__
    monkeypatch.setattr(Phase, "__init__", lambda self, *a: (init(self, *a), setattr(self, "rate", a[4]))[0])
    where = tmp_path / "checkpoints"
    with monkeypatch.context() as patch:
        patch.setattr(session, "Phase", Ending)
        with pytest.raises(Killed):
            train(prepared, tmp_path / "model", "custom_cnn", where, **RATES)
    (saved,) = where.rglob(tuning.SCORES)
    saved.write_text("image,7\n")
    (found,) = train(prepared, tmp_path / "model", "custom_cnn", where, **RATES)
    assert [own["validation_auc"] is None for own in found["tuning"]["candidates"]] == [False, False]


@pytest.fixture
def overflowing(monkeypatch):
    """Trainings whose peak learning rate is above a limit diverge in their first epoch; gives their number."""
    begun = []

    class Overflowing(Phase):
        def __init__(self, model, batches, validation, epochs, learning_rate, recipe):
            super().__init__(model, batches, validation, epochs, learning_rate, recipe)
            begun.append(learning_rate)
            if learning_rate > 0.02:
                monkeypatch.setattr(validation, "score", lambda _: None)

    monkeypatch.setattr(session, "Phase", Overflowing)
    return begun


@pytest.mark.slow
@pytest.mark.usefixtures("overflowing")
def test_a_candidate_that_diverged_in_its_first_epoch_is_lost_and_said(prepared, tmp_path, capsys):
    (record,) = train(prepared, tmp_path / "model", "custom_cnn", **RATES)
    kept, lost = record["tuning"]["candidates"]
    assert record["tuning"]["chosen"] == 1
    assert (lost["diverged"], lost["validation_auc"], lost["best_epoch"], lost["epochs"]) == (True, None, None, 1)
    assert lost["seconds"] > 0
    assert record["cost"]["epochs"] == 3
    assert record["cost"]["train_seconds"] == pytest.approx(kept["seconds"] + lost["seconds"])
    assert list(tuning.load(tmp_path / "model" / "seed-1", "x").columns) == ["image", "1"]
    output = capsys.readouterr().out
    assert "learning rate 0.02: the training diverged in its first epoch, so this candidate is lost" in output
    assert "kept learning rate 0.001, by validation the best of 2 candidates" in output


def test_one_that_was_lost_before_an_interruption_is_not_trained_again(prepared, tmp_path, overflowing, monkeypatch):
    where, changes = tmp_path / "checkpoints", {"tune_learning_rate": "2 3"}
    with monkeypatch.context() as patch:
        patch.setattr(candidates, "best", lambda *_: (_ for _ in ()).throw(Killed))
        with pytest.raises(Killed):
            train(prepared, tmp_path / "model", "custom_cnn", where, **changes)
    assert len(overflowing) == 2
    with pytest.raises(UserError, match="every candidate diverged in its first epoch: choose a lower learning rate"):
        train(prepared, tmp_path / "model", "custom_cnn", where, **changes)
    assert len(overflowing) == 2
    assert not (tmp_path / "model").exists()


def test_a_single_candidate_is_kept_whatever_it_is(prepared, tmp_path):
    (record,) = train(prepared, tmp_path / "model", "custom_cnn", tune_learning_rate="0.5", epochs=1)
    assert record["tuning"]["chosen"] == 1
    assert record["recipe"]["learning_rate"] == 0.005
    assert record["tuning"]["candidates"][0]["multiple"] == 0.5


def test_transfer_learning_has_the_search_for_its_penalty_instead(prepared, tmp_path):
    (record,) = train(prepared, tmp_path / "model", "transfer_learning", weights="imagenet", **RATES)
    (plain,) = train(prepared, tmp_path / "plain", "transfer_learning", weights="imagenet")
    assert scores(tmp_path / "model", prepared)[0].tobytes() == scores(tmp_path / "plain", prepared)[0].tobytes()
    assert "tuning" not in plain
    found = record["tuning"]
    assert (found["varied"], found["given"], found["chosen"]) == (["strength"], {}, record["best_epoch"])
    assert found["candidates"] == [
        {name: entry[name] for name in ("strength", "depths", "validation_auc", "validation_loss")}
        for entry in record["history"]
    ]
    assert chosen_of(record)["strength"] == record["head"]["strength"]
    assert record["made_by"]["arguments"]["learning_rate"] == 0.01


@pytest.mark.parametrize(
    ("regime", "rates", "layers", "expected"),
    [
        ("custom_cnn", "", "", []),
        ("custom_cnn", "", "5 10", []),
        ("custom_cnn", "0.3 1", "5 10", [(0.3, 10), (1, 10)]),
        ("full_fine_tuning", "3", "", [(3, 10)]),
        ("transfer_learning", "0.3 1", "5 10", []),
        ("partial_fine_tuning", "0.3 1", "", [(0.3, 10), (1, 10)]),
        ("partial_fine_tuning", "", "5 20", [(1, 5), (1, 20)]),
        ("partial_fine_tuning", "0.3 1", "5 20", [(0.3, 5), (1, 5), (0.3, 20), (1, 20)]),
    ],
)
def test_each_regime_has_the_candidates_that_concern_it(regime, rates, layers, expected):
    found = settings(regime, TrainParameters(tune_learning_rate=rates, tune_trainable_layers=layers))
    assert [(own.multiple, own.layers) for own in found] == expected
    assert [own.number for own in found] == list(range(1, len(found) + 1))


def test_a_multiple_of_a_learning_rate_is_what_one_would_write():
    assert times(0.1, 3) == 0.3 != 0.1 * 3
    assert times(0.0007, 1) == 0.0007


def tried(number, auc, loss, logits, diverged=False):
    record = {"diverged": diverged}
    return Trained(Setting(number, 1.0, 10), 1.0, record, Candidate(number, auc, loss, np.asarray(logits, float)))


def test_candidates_within_one_standard_error_are_decided_by_the_loss_and_divergence_loses(prepared):
    validation = PreparedDataset.load(prepared).splits["validation"]
    labels = validation.labels
    noisy = labels + np.random.default_rng(0).normal(0, 1, len(labels))
    close = noisy + np.random.default_rng(1).normal(0, 0.3, len(labels))
    auc = roc_auc_score(labels, noisy)
    own = [tried(1, auc, 0.5, noisy), tried(2, auc - 1e-9, 0.4, close), tried(3, 0.5, 0.1, -noisy)]
    assert candidates.best(own, validation).setting.number == 2
    best = tried(4, 1.0, 0.01, labels, diverged=True)
    assert candidates.best([*own, best], validation).setting.number == 2
    assert candidates.best([best, Tried(Setting(5, 1.0, 10), 1.0)], validation).setting.number == 4
    with pytest.raises(DivergedError, match="every candidate"):
        candidates.best([Tried(Setting(5, 1.0, 10), 1.0)], validation)
