"""Tables of cost."""

import copy

from components.compare.report.tables import cost


def test_pareto_fronts_have_titles(compared):
    rows = [[str(cell) for cell in row] for row in cost.pareto_table(compared.results).rows]
    assert rows[0] == [
        "Training time",
        "Custom CNN, Transfer learning, Partial fine-tuning, Full fine-tuning",
    ]
    assert [row[0] for row in rows] == ["Training time", "Peak memory", "Model size", "Time per image"]


def test_costs_have_readable_units(compared):
    table = cost.cost_table(compared.results)
    row = dict(zip(table.headers, map(str, table.rows[0]), strict=True))
    assert row == {
        "Regime": "Custom CNN",
        "Epochs": "8",
        "Training time": "9.4 s",
        "Price of training": "–",
        "Training images/s": "426",
        "Time per image": "2.03 ms",
        "Inference images/s": "493",
        "Time to validation AUC 0.9": "3.5 s",
        "Time to validation AUC 0.95": "5.9 s",
        "Time to validation AUC 0.98": "–",
        "Time to validation AUC 0.99": "–",
    }


def test_a_training_without_epochs_was_solved(compared):
    findings = copy.deepcopy(compared.results)
    findings["regimes"]["transfer_learning"]["cost"]["epochs"] = 0
    table = cost.cost_table(findings)
    assert [str(row[1]) for row in table.rows][:2] == ["8", "solved directly"]
