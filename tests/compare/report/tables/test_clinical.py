"""Tables of clinical use."""

import copy

from components.compare.report.table import metric_cell
from components.compare.report.tables.clinical import net_benefit_table, predictive_values_table


def test_predictive_values_have_a_row_for_each_regime(in_use):
    use = in_use.record["clinical_use"]
    table = predictive_values_table(in_use.record, use)
    assert [str(row[0]) for row in table.rows] == ["Custom CNN", "Full fine-tuning", "Logistic regression (baseline)"]
    first, regime = table.rows[0], use["regimes"]["custom_cnn"]
    cells = dict(zip(table.headers, first, strict=True))
    assert cells["PPV"] == metric_cell(regime["ppv"])
    assert cells["NPV"] == metric_cell(regime["npv"])
    assert cells["missed"].value == f"{regime['per_thousand']['false_negatives']:.1f}"
    assert cells["false alarms"].value == f"{regime['per_thousand']['false_positives']:.1f}"
    assert cells["Sensitivity"] == metric_cell(in_use.record["regimes"]["custom_cnn"]["metrics"]["recall"])


def test_a_predictive_value_that_is_not_defined_is_a_dash(in_use):
    use = copy.deepcopy(in_use.record["clinical_use"])
    use["regimes"]["custom_cnn"]["npv"] = None
    assert str(predictive_values_table(in_use.record, use).rows[0][4]) == "–"


def test_net_benefit_has_a_row_for_each_way_to_decide(in_use):
    use = in_use.record["clinical_use"]
    table = net_benefit_table(use)
    assert [str(row[1]) for row in table.rows] == ["chosen threshold", "risk of at least 20%"] * 3
    for row, made in zip(table.rows, ("at_threshold", "by_risk"), strict=False):
        assert row[4].value == f"{use['regimes']['custom_cnn'][made]['net_benefit']['value']:+.3f}"
        assert row[6].value == "higher"


def test_without_a_harm_ratio_there_are_no_rows(in_use):
    use = copy.deepcopy(in_use.record["clinical_use"]) | {"threshold_probability": None}
    assert net_benefit_table(use).rows == []
