"""What Kubeflow's own pages show of evaluations."""

import math

import pytest

from components.artifacts.evaluation import METRICS
from components.evaluate import kubeflow


def evaluation(roc_auc, seconds, gpu=None):
    cost = {"train_seconds": seconds, "peak_memory_mb": 700.04, "peak_gpu_memory_mb": gpu, "epochs": 3, "parameters": 9}
    metrics = dict.fromkeys(METRICS, 0.5) | {"roc_auc": roc_auc}
    return {
        "metrics": {"test": metrics},
        "training": {"cost": cost | {"model_mb": 1.0}},
        "confusion": {"tn": 1, "fp": 2, "fn": 3, "tp": 4},
        "curves": {"roc": {"fpr": [0, 1], "tpr": [0, 0.5], "thresholds": [1, 0]}},
    }


def test_what_people_compare_comes_first_under_stable_names():
    names = list(kubeflow.scalars([evaluation(0.9, 5.0)]))
    assert names[:5] == ["roc_auc", "accuracy", "precision", "train_seconds", "peak_memory_mb"]
    assert set(METRICS) <= set(names)
    assert "seeds" in names


def test_scalars_are_means_over_the_seeds():
    found = kubeflow.scalars([evaluation(0.9, 5.0), evaluation(0.96, 6.11)])
    assert found["roc_auc"] == pytest.approx(0.93)
    assert (found["train_seconds"], found["peak_memory_mb"], found["seeds"]) == (5.6, 700.0, 2)


def test_a_cost_that_is_unknown_is_left_out():
    assert "peak_gpu_memory_mb" not in kubeflow.scalars([evaluation(0.9, 5.0)])
    assert kubeflow.scalars([evaluation(0.9, 5.0, gpu=300.0)])["peak_gpu_memory_mb"] == 300.0
    assert all(math.isfinite(value) for value in kubeflow.scalars([evaluation(math.nan, 5.0)]).values())


def test_the_matrix_has_a_row_for_each_true_class_and_the_curve_its_thresholds():
    assert kubeflow.matrix(evaluation(0.9, 5.0)) == [[1, 2], [3, 4]]
    assert kubeflow.roc_curve(evaluation(0.9, 5.0)) == ([0, 1], [0, 0.5], [1, 0])


def test_the_table_of_several_regimes_has_the_same_scalar_of_all_together():
    one, other = evaluation(0.9, 5.0), evaluation(0.8, 6.0, gpu=300.0)
    found = kubeflow.table({"custom_cnn": [one, one], "logistic_regression": [other]})
    assert list(found)[:3] == ["custom_cnn_roc_auc", "logistic_regression_roc_auc", "custom_cnn_accuracy"]
    assert (found["custom_cnn_roc_auc"], found["logistic_regression_roc_auc"]) == (0.9, 0.8)
    assert (found["custom_cnn_seeds"], found["logistic_regression_seeds"]) == (2, 1)
    assert [name for name in found if name.endswith("_gpu_memory_mb")] == ["logistic_regression_peak_gpu_memory_mb"]
