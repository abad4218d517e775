"""What holds beyond the images on which it was chosen, in tables."""

import pytest

from components.compare.report import formats
from components.compare.report.tables import transfer
from tests.compare.conftest import built


def text(table):
    return [[str(cell) for cell in row] for row in table.rows]


def test_validation_stands_beside_test(compared):
    table = transfer.shift_table(compared.results)
    regime = compared.results["regimes"]["custom_cnn"]
    row = text(table)[0]
    assert len(row) == len(table.headers)
    assert row[0] == "Custom CNN"
    assert row[1].startswith(formats.decimal(regime["validation"]["metrics"]["roc_auc"]["value"]))
    assert row[2].startswith(formats.decimal(regime["metrics"]["roc_auc"]["value"]))
    shift = regime["shift"]
    observed = regime["validation"]["metrics"]["youden"]["value"]
    assert row[6] == f"{shift['youden_validation']:.3f} ({observed:.3f} observed)"
    assert row[8].startswith(formats.signed(shift["youden_change"]["value"]))
    assert row[9:] == [f"{value:.3f}" for value in (shift["best_youden"], *shift["kolmogorov_smirnov"].values())]
    assert len(table.rows) == 5


def test_without_validation_there_is_no_table(compared):
    bare = {
        name: {key: value for key, value in regime.items() if key not in ("validation", "shift")}
        for name, regime in compared.results["regimes"].items()
    }
    results = {key: value for key, value in compared.results.items() if key != "floor"} | {"regimes": bare}
    assert transfer.shift_table(results).rows == []


def test_the_change_that_calibration_made_has_its_interval(compared):
    row = text(transfer.calibration_change_table(compared.results))[1]
    fit = compared.results["regimes"]["transfer_learning"]["calibration"]
    assert (
        row[1] == f"{formats.signed(fit['brier_change']['value'])} ({formats.signed_span(fit['brier_change']['ci95'])})"
    )
    low, high = fit["before"]["slope"]["ci95"]
    assert row[3] == f"{fit['before']['slope']['value']:.2f} ({low:.2f} to {high:.2f})"
    assert row[8] == formats.decimal(fit["after"]["ece_if_calibrated"])


def test_a_slope_that_scores_do_not_have_is_said_to_be_unknown():
    assert str(transfer.change_cell(None)) == "– (not defined: the scores separate the classes, or are all equal)"


def test_an_ensemble_stands_beside_the_mean_of_its_seeds(write):
    assert transfer.ensembles_table(built(write, [write.evaluation("custom_cnn", "alone")])).rows == []
    results = built(write, [write.evaluation("custom_cnn", seed=seed) for seed in (0, 1, 2)])
    mean, ensemble = text(transfer.ensembles_table(results))
    assert (mean[1], ensemble[1]) == ("one training (mean)", "ensemble of 3")
    assert mean[-2:] == ["9.4 s", "2.03 ms"]
    assert ensemble[-2:] == ["28.2 s", "6.09 ms"]
    assert ensemble[2].startswith(formats.decimal(results["ensembles"]["custom_cnn"]["metrics"]["roc_auc"]["value"]))


def test_training_times_are_a_ratio_with_a_conclusion():
    results = {
        "training_times": [
            {"a": "custom_cnn", "b": "full_fine_tuning", "ratio": 0.1234, "ci95": [0.1, 0.15], "shown": True},
            {"a": "custom_cnn", "b": "transfer_learning", "ratio": 1.5, "ci95": None, "shown": False},
            {"a": "custom_cnn", "b": "transfer_learning", "ratio": 1.1, "ci95": [0.9, 1.4], "shown": False},
        ]
    }
    assert text(transfer.training_times_table(results)) == [
        ["Custom CNN / Full fine-tuning", "0.123 (0.10 to 0.15)", "different"],
        ["Custom CNN / Transfer learning", "1.5 (one was timed once)", "not tested"],
        ["Custom CNN / Transfer learning", "1.1 (0.90 to 1.40)", "no difference shown"],
    ]


@pytest.mark.parametrize(
    ("needed", "shown", "words"),
    [(1900, False, ["not shown", "12%", "1,900"]), (None, True, ["shown", "12%", "needs more seeds"])],
)
def test_every_candidate_has_its_bound_and_power(needed, shown, words):
    pair = {"candidate": "custom_cnn", "other": "full_fine_tuning", "loss": 0.004, "upper_bound": 0.021}
    pair |= {"shown": shown, "power": 0.12, "patients_needed": needed}
    found = transfer.noninferiority_table({"noninferiority": {"margin": 0.01, "level": 0.05 / 3, "pairs": [pair]}})
    assert found.headers[3:5] == ["Bound (one-sided, 98.3%)", "At most 0.01"]
    assert text(found) == [["Custom CNN", "Full fine-tuning", "+0.004", "+0.021", *words]]
