import numpy as np
import pandas as pd
import pytest

from components.artifacts import evaluation
from components.artifacts.evaluation import Evaluation, calibrated
from components.console import UserError

RESULTS = {"schema_version": 1, "kind": "evaluation", "regime": "custom_cnn"}


@pytest.fixture
def folder(tmp_path):
    scores = np.array([1 / 3, 0.1, 1e-9, 1], np.float32).astype(np.float64)
    rows = {"score": scores, "split": ["test", "validation", "test", "test"], "extra": 0, "label": [1, 0, 0, 1]}
    table = pd.DataFrame(rows | {"image": ["c", "b", "a", "007"], "patient": ["3", "2", "01", "nan"]})
    table = table.assign(subtype=["virus", "", "", "bacteria"], patient_seen=[0, 0, 1, 1])
    evaluation.save(tmp_path, table, RESULTS)
    return tmp_path


def test_scores_and_names_are_read_as_they_were_written(folder):
    found = Evaluation.load(str(folder))
    assert found.results == RESULTS
    assert list(found.predictions.columns) == [
        *("split", "image", "patient", "label", "score", "subtype", "patient_seen"),
    ]
    assert (found.predictions["score"].astype(np.float32) == np.array([1 / 3, 0.1, 1e-9, 1], np.float32)).all()
    assert found.predictions["patient"].tolist() == ["3", "2", "01", "nan"]
    assert found.predictions["subtype"].tolist() == ["virus", "", "", "bacteria"]


def test_calibration_divides_and_moves_logits_and_keeps_the_order_even_at_the_ends():
    scores = np.array([0.0, 1e-9, 0.2, 0.5, 0.9, 1.0])
    cooled = calibrated(scores, 2.0, 0.0)
    assert cooled[2:5] == pytest.approx([1 / 3, 0.5, 0.75])
    assert (np.diff(cooled) >= 0).all()
    assert 0 < cooled[0] < cooled[-1] < 1
    assert calibrated(scores, 1.0, 0.0) == pytest.approx(scores, abs=2e-7)
    assert calibrated(scores, 2.0, np.log(2))[2:5] == pytest.approx([1 / 2, 2 / 3, 6 / 7])


def test_a_split_keeps_the_order_of_its_images(folder):
    test = Evaluation.load(folder).split("test")
    assert test["image"].tolist() == ["c", "a", "007"]
    assert test.index.tolist() == [0, 1, 2]


@pytest.mark.parametrize("name", ["evaluation.json", "predictions.csv"])
def test_a_missing_file_is_named_with_the_remedy(folder, name):
    (folder / name).unlink()
    with pytest.raises(UserError, match=f"is not a complete evaluation: it has no {name}; run the step again"):
        Evaluation.load(folder)
