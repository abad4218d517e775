"""A model's evaluation follows from its predictions, and nothing in it is chosen on test."""

import gc
import json
import weakref

import keras
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from components.artifacts import files, trained_model, tuning
from components.artifacts.evaluation import METRICS, load_all
from components.artifacts.prepared_dataset import PreparedDataset
from components.console import UserError
from components.evaluate import calibration, scoring
from components.evaluate.evaluate import evaluate
from components.inference import gradcam
from components.inference.loading import load_model
from components.parameters import EvaluateParameters
from tests.train.conftest import SIZE, write_prepared


def write_model(folder, size=SIZE, seeds=(1,)):
    """Models, all alike, whose score is high where neighbouring rows differ much, as they do in stripes."""
    inputs = keras.Input((size, size, 1), dtype="uint8")
    x = keras.layers.Rescaling(1 / 255)(inputs)
    step = keras.layers.Conv2D(1, (2, 1), activation="relu", name="step")
    x = keras.layers.GlobalAveragePooling2D()(step(x))
    outputs = keras.layers.Dense(1, activation="sigmoid", name="score")(x)
    model = keras.Model(inputs, outputs)
    step.set_weights([np.array([1.0, -1.0]).reshape(2, 1, 1, 1), np.zeros(1)])
    model.get_layer("score").set_weights([np.array([[60.0]]), np.array([-5.0])])
    with files.new_folder(folder) as new:
        trainings = []
        for seed in seeds:
            files.seed_folder(new, seed).mkdir()
            model.save(files.seed_folder(new, seed) / "model.keras")
            training = files.header(trained_model.KIND, files.now(), {}) | {
                "regime": "custom_cnn",
                "seed": seed,
                "backbone": None,
                "recipe": {},
                "history": [],
                "best_epoch": 1,
                "cost": {"train_seconds": 1.0},
                "hardware": {},
                "dataset": {"fingerprint": "0", "image_size": size},
            }
            trainings.append(training)
        trained_model.save_all(new, trainings)
    return folder


def only(folder):
    """The only evaluation in an artifact."""
    (found,) = load_all(folder)
    return found


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory):
    folder = tmp_path_factory.mktemp("evaluate")
    data, model = write_prepared(folder / "data"), write_model(folder / "model")
    evaluate(data, model, folder / "evaluation", EvaluateParameters())
    return data, model, only(folder / "evaluation")


@pytest.mark.medium
def test_predictions_are_the_models_for_every_validation_and_test_image(evaluated):
    data, model, evaluation = evaluated
    network = keras.models.load_model(model / "seed-1" / "model.keras")
    for split in ("validation", "test"):
        images = np.load(data / f"{split}.npy")
        expected = network.predict(images[..., None], verbose=0)[:, 0]
        found = evaluation.split(split)
        assert np.allclose(found["score"], expected, atol=1e-6)
        index = pd.read_csv(data / f"{split}.csv")
        assert list(found["image"]) == list(index["image"])
        assert list(found["label"]) == list(index["label"])
    assert set(evaluation.predictions["split"]) == {"validation", "test"}


def test_metrics_confusion_and_curves_are_those_of_the_predictions(evaluated):
    results, test = evaluated[2].results, evaluated[2].split("test")
    assert results["metrics"]["test"].keys() == set(METRICS)
    assert results["metrics"]["test"]["roc_auc"] == pytest.approx(roc_auc_score(test["label"], test["score"]))
    called = test["score"] >= results["threshold"]["value"]
    assert results["confusion"]["tp"] == int((called & (test["label"] == 1)).sum())
    assert sum(results["confusion"].values()) == len(test)
    curve = results["curves"]["roc"]
    assert np.trapezoid(curve["tpr"], curve["fpr"]) == pytest.approx(results["metrics"]["test"]["roc_auc"], abs=0.01)


def test_thresholds_and_calibration_do_not_depend_on_the_test_split(evaluated, tmp_path):
    data, model, evaluation = evaluated
    changed = write_prepared(tmp_path / "data")
    np.save(changed / "test.npy", np.load(data / "test.npy")[::-1])
    (again,) = evaluate(changed, model, tmp_path / "evaluation", EvaluateParameters())
    for chosen in ("threshold", "operating_points", "calibration"):
        assert again[chosen] == evaluation.results[chosen]
    assert again["threshold"]["chosen_on"] == "validation"
    assert again["metrics"]["test"] != evaluation.results["metrics"]["test"]


def test_a_target_sensitivity_is_kept_to_on_validation(evaluated, tmp_path):
    data, model, _ = evaluated
    (results,) = evaluate(data, model, tmp_path / "evaluation", EvaluateParameters(target_sensitivity=0.7))
    assert results["threshold"]["rule"] == "sensitivity of at least 0.7"
    assert results["metrics"]["validation"]["recall"] >= 0.7
    assert results["made_by"]["arguments"] == {"target_sensitivity": 0.7}


def test_a_sensitivity_above_one_is_refused():
    with pytest.raises(UserError, match=r"target_sensitivity is 1\.5, but must be a number from 0 to 1"):
        EvaluateParameters(target_sensitivity=1.5)


def test_thresholds_and_calibration_are_those_of_the_validation_split(evaluated):
    results, validation = evaluated[2].results, evaluated[2].split("validation")
    labels, scores = validation["label"].to_numpy(), validation["score"].to_numpy()
    for found, expected in zip(results["operating_points"], scoring.operating_points(labels, scores), strict=True):
        assert found == expected | {"threshold": pytest.approx(expected["threshold"], abs=1e-8)}
    assert results["calibration"]["fitted_on"] == "validation"
    temperature, offset = calibration.fit(labels, scores)
    assert results["calibration"]["temperature"] == pytest.approx(temperature, rel=1e-3)
    assert results["calibration"]["offset"] == pytest.approx(offset, rel=1e-3)


def test_robustness_and_speed_are_measured(evaluated):
    results = evaluated[2].results
    assert results["robustness"]["unchanged"] == pytest.approx(results["metrics"]["test"]["roc_auc"])
    assert len(results["robustness"]) == 9
    assert results["inference"]["ms_per_image"] > 0
    product = results["inference"]["ms_per_image"] * results["inference"]["images_per_second"]
    assert product == pytest.approx(1000)


def test_a_model_for_another_image_size_is_refused(evaluated, tmp_path):
    with pytest.raises(UserError, match="images of 48 px"):
        evaluate(evaluated[0], write_model(tmp_path / "model", size=48), tmp_path / "evaluation", EvaluateParameters())
    assert not (tmp_path / "evaluation").exists()


def test_the_files_hold_no_number_that_is_not_finite(evaluated):
    text = (evaluated[2].folder / "evaluation.json").read_text()
    json.loads(text, parse_constant=pytest.fail)


def test_every_seed_is_evaluated_as_it_is_alone(evaluated, tmp_path):
    data, _, first = evaluated
    both = write_model(tmp_path / "model", seeds=(1, 7))
    results = evaluate(data, both, tmp_path / "evaluation", EvaluateParameters())
    found = load_all(tmp_path / "evaluation")
    assert [one.results for one in found] == results
    assert [(one.folder.name, one.results["seed"], one.results["training"]["seed"]) for one in found] == [
        ("seed-1", 1, 1),
        ("seed-7", 7, 7),
    ]
    for one in found:
        pd.testing.assert_frame_equal(one.predictions, first.predictions)


@pytest.mark.medium
def test_only_the_first_model_is_explained_which_the_report_shows(evaluated, tmp_path, monkeypatch):
    explained = []
    monkeypatch.setattr(gradcam, "explain", lambda network, images: explained.append((network, len(images))))
    both = write_model(tmp_path / "model", seeds=(3, 4))
    evaluate(evaluated[0], both, tmp_path / "evaluation", EvaluateParameters())
    ((_, images),) = explained
    assert images == len(PreparedDataset.load(evaluated[0]).splits["test"])
    evaluate(evaluated[0], both, tmp_path / "evaluation", EvaluateParameters(report_images=False))
    assert len(explained) == 1


def test_the_second_of_two_models_is_scored_by_its_own_weights(evaluated, tmp_path):
    data = evaluated[0]
    both = write_model(tmp_path / "model", seeds=(1, 2))
    file = both / "seed-2" / "model.keras"
    network = keras.models.load_model(file)
    network.get_layer("score").set_weights([np.array([[0.0]]), np.array([0.0])])
    network.save(file)
    first, second = (
        results["metrics"]["test"]["roc_auc"]
        for results in evaluate(data, both, tmp_path / "evaluation", EvaluateParameters())
    )
    assert first > second == 0.5


def test_the_scores_of_a_search_are_handed_on_with_its_record(evaluated, tmp_path):
    """Compare sees evaluations, and no models."""
    folder = write_model(tmp_path / "models", seeds=(1, 2))
    own = folder / "seed-2"
    tuning.save(own, ["a.png", "b.png"], {1: np.array([0.5, -12.3456789]), 3: np.array([1e-7, 2.0])})
    training = json.loads((own / "training.json").read_text())
    files.write_json(own / "training.json", training | {"tuning": {"chosen": 3}})
    evaluate(evaluated[0], folder, tmp_path / "evaluations", EvaluateParameters(report_images=False))
    first, second = load_all(tmp_path / "evaluations")
    assert not (first.folder / tuning.SCORES).exists()
    assert (second.folder / tuning.SCORES).read_text() == "image,1,3\na.png,0.5,1e-07\nb.png,-12.3457,2\n"
    assert second.results["training"]["tuning"] == {"chosen": 3}
    table = tuning.load(second.folder, "evaluation")
    assert table["1"].tolist() == [0.5, -12.3457]


def test_the_network_of_a_seed_is_freed_before_the_next_is_loaded(evaluated, tmp_path, monkeypatch):
    """One process evaluates all seeds of all regimes, in the memory that a single network takes."""
    networks = []

    def loading(file):
        assert not any(network() for network in networks)
        networks.append(weakref.ref(found := load_model(file)))
        return found

    monkeypatch.setattr("components.evaluate.evaluate.load_model", loading)
    gc.disable()
    try:
        evaluate(evaluated[0], write_model(tmp_path / "m", seeds=(1, 2)), tmp_path / "evaluation", EvaluateParameters())
    finally:
        gc.enable()
    assert len(networks) == 2
    assert not any(network() for network in networks)
