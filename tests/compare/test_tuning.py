"""The searches in results.json: from the files of evaluate to means with intervals."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from components.artifacts import evaluation, tuning
from components.compare import inputs
from components.compare.tuning import build
from components.console import UserError
from tests.compare.conftest import make_validation
from tests.compare.searches import MULTIPLES, add_penalties, add_search, write_searches


def found(write, folders):
    return build(inputs.load(folders, write.summary()))


def aucs(folder):
    """ROC AUC of every candidate, by its number."""
    table = tuning.load(folder, evaluation.KIND)
    labels = make_validation().set_index("image")["label"][table["image"]].to_numpy()
    return {name: roc_auc_score(labels, table[name]) for name in table.columns if name != "image"}


def test_without_a_search_there_is_nothing(write):
    assert found(write, write.evaluations(["custom_cnn"])) is None


def test_each_multiple_has_the_mean_over_seeds_with_its_interval(write):
    folders = [add_search(write.evaluation("custom_cnn", seed=seed), kept=1 + seed, seed=seed) for seed in (0, 1)]
    result = found(write, folders)
    (own,) = result["regimes"].values()
    assert [point["value"] for point in own["learning_rate"]] == list(MULTIPLES)
    for number, point in enumerate(own["learning_rate"], 1):
        values = [aucs(folder)[str(number)] for folder in folders]
        assert point["roc_auc"]["value"] == pytest.approx(np.mean(values))
        assert point["roc_auc"]["sd_seeds"] == pytest.approx(np.std(values, ddof=1))
        low, high = point["roc_auc"]["ci95"]
        assert low < point["roc_auc"]["value"] < high
    assert [(point["kept"], point["seeds"], point["diverged"]) for point in own["learning_rate"]] == [
        *((1, 2, 0), (1, 2, 0), (0, 2, 0)),
    ]
    kept = [aucs(folder)[str(number)] for folder, number in zip(folders, (1, 2), strict=True)]
    assert own["roc_auc"]["value"] == pytest.approx(np.mean(kept))
    assert own["kept"]["1"] == {"candidates": 3, "validation_auc": 0.9, "multiple": 1, "learning_rate": 0.001}
    assert "trainable_layers" not in own
    assert (result["images"], result["patients"]) == (160, 120)


def test_each_setting_is_varied_alone_with_what_the_seed_kept_of_the_other(write):
    folder = add_search(write.evaluation("partial_fine_tuning"), layers=(5, 10), kept=6)
    own = found(write, [folder])["regimes"]["partial_fine_tuning"]
    by_number = aucs(folder)
    rates = [point["roc_auc"]["value"] for point in own["learning_rate"]]
    assert rates == pytest.approx([by_number[name] for name in "456"])
    layers = [(point["value"], point["roc_auc"]["value"]) for point in own["trainable_layers"]]
    assert layers == [(5, pytest.approx(by_number["3"])), (10, pytest.approx(by_number["6"]))]
    assert [point["kept"] for point in own["trainable_layers"]] == [0, 1]
    assert own["kept"]["0"]["trainable_layers"] == 10


def test_layers_alone_may_be_searched(write):
    folder = add_search(write.evaluation("partial_fine_tuning"), multiples=(1,), layers=(5, 10))
    result = found(write, [folder, add_penalties(write.evaluation("transfer_learning"))])
    own = result["regimes"]["partial_fine_tuning"]
    assert "learning_rate" not in own
    assert len(own["trainable_layers"]) == 2
    assert (result["orders"], result["reversals"]) == ({}, [])


def test_diverged_candidates_count_in_no_mean_and_in_no_ranking(write):
    folders = [
        add_search(write.evaluation("custom_cnn", seed=0), lost=(3,), seed=0),
        add_search(write.evaluation("custom_cnn", seed=1), diverged=(3,), seed=1),
        add_search(write.evaluation("full_fine_tuning", seed=0), diverged=(2,), seed=2),
        add_search(write.evaluation("full_fine_tuning", seed=1), seed=3),
    ]
    result = found(write, folders)
    custom, full = (result["regimes"][name]["learning_rate"] for name in ("custom_cnn", "full_fine_tuning"))
    assert (custom[2]["roc_auc"], custom[2]["diverged"]) == (None, 2)
    assert (full[1]["diverged"], full[1]["seeds"]) == (1, 2)
    assert full[1]["roc_auc"]["value"] == pytest.approx(aucs(folders[3])["2"])
    assert list(result["orders"]) == ["0.3"]


def test_a_head_without_learning_rate_is_ranked_with_every_multiple(write):
    result = found(write, write_searches(write))
    assert {name: own[-1] for name, own in result["orders"].items()} == {
        "0.3": "full_fine_tuning",
        "1": "custom_cnn",
        "3": "custom_cnn",
    }
    assert all(set(own) == set(result["regimes"]) for own in result["orders"].values())
    assert list(result["regimes"]) == ["custom_cnn", "transfer_learning", "partial_fine_tuning", "full_fine_tuning"]
    own = result["regimes"]["transfer_learning"]
    assert [(point["value"], point["kept"], point["seeds"]) for point in own["strength"]] == [
        *((0.01, 0, 3), (0.1, 2, 3), (1.0, 1, 3)),
    ]
    assert own["strength"][1]["roc_auc"] == pytest.approx(0.97), "with the depths that were kept"
    assert own["kept"]["1"] == {"candidates": 4, "validation_auc": 0.96, "strength": 1.0, "depths": ["block"]}
    pairs = {(pair["a"], pair["b"]): pair for pair in result["reversals"]}
    assert pairs["custom_cnn", "full_fine_tuning"]["shown"]
    assert ("transfer_learning", "full_fine_tuning") in pairs


def test_scores_that_are_missing_or_of_something_else_are_refused(write):
    folder = add_search(write.evaluation("custom_cnn"))
    text = (folder / tuning.SCORES).read_text()
    (folder / tuning.SCORES).write_text(text.replace("val/", "other/"))
    with pytest.raises(UserError, match=r"tuning.csv does not fit evaluation.json beside it: run evaluate again"):
        found(write, [folder])
    (folder / tuning.SCORES).unlink()
    with pytest.raises(UserError, match=r"it has no tuning\.csv; run the step again"):
        found(write, [folder])
