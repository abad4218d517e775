"""Tables of quality."""

from components.artifacts.evaluation import METRICS
from components.artifacts.names import REGIME_TITLES
from components.compare import inputs, results
from components.compare.report import formats
from components.compare.report.notes import notes
from components.compare.report.tables import quality


def test_other_metrics_differences_are_starred_only_where_certain(write):
    given = inputs.load(write.evaluations(), write.summary())
    found = results.build(given, "")
    table = quality.further_differences_table(found)
    headers, rows = table.headers, table.rows
    pairs = {(pair["a"], pair["b"]): None for pair in found["comparisons"]}
    assert headers[1:] == [f"{REGIME_TITLES[a]} − {REGIME_TITLES[b]}" for a, b in pairs]
    stars = {cell.value.endswith("*") for row in rows for cell in row[1:]}
    assert stars == {True, False}
    for row, metric in zip(rows, [name for name in METRICS if name not in ("roc_auc", "accuracy")], strict=True):
        for cell, (a, b) in zip(row[1:], pairs, strict=True):
            (pair,) = (p for p in found["comparisons"] if (p["metric"], p["a"], p["b"]) == (metric, a, b))
            low, high = pair["ci95"]
            certain = not low <= 0 <= high and pair["p_value"] <= 0.05 and pair["p_value_holm"] <= 0.05
            assert cell.value.endswith(" *") == certain


def test_seeds_have_their_standard_deviation(write):
    folders = [write.evaluation("custom_cnn", seed=seed) for seed in (0, 1)]
    given = inputs.load([*folders, write.evaluation("full_fine_tuning")], write.summary())
    found = results.build(given, "")
    rows = quality.seeds_table(found).rows
    assert [row[1].value for row in rows] == ["0", "1", "standard deviation"]
    assert rows[2][2].value == formats.decimal(found["regimes"]["custom_cnn"]["metrics"]["roc_auc"]["sd_seeds"])
    assert "include patients only: Full fine-tuning" in " ".join(notes(found, given))
