"""The main table in all its forms."""

import copy

import pandas as pd
import pytest

from components.artifacts.evaluation import METRICS
from components.artifacts.names import FLOOR, REGIMES
from components.artifacts.regime_result import RegimeCost
from components.compare.report.table import TERMINAL_COLUMNS
from components.compare.report.tables import main as main_tables
from tests.compare.conftest import built


def test_results_csv_has_a_row_per_regime_with_metrics_intervals_and_cost(compared):
    table = pd.read_csv(compared.folder / "results.csv")
    assert list(table["regime"]) == [*REGIMES, FLOOR]
    assert table["title"][0] == "Custom CNN"
    expected = {"threshold", *RegimeCost.__annotations__} | {
        f"{name}{end}" for name in METRICS for end in ("", "_low", "_high")
    }
    assert expected | {"regime", "title"} == set(table.columns)
    first = compared.results["regimes"]["custom_cnn"]
    assert table["roc_auc_high"][0] == pytest.approx(first["metrics"]["roc_auc"]["ci95"][1])
    assert table["parameters"][0] == 96_513


def test_the_terminal_table_is_aligned_and_fits(compared):
    lines = main_tables.terminal_table(compared.results).splitlines()
    assert max(map(len, lines)) <= TERMINAL_COLUMNS
    assert len({len(line) for line in lines[:-1]}) == 1
    header, first, intervals = lines[0], lines[2], lines[3]
    for column, text in (("Accuracy", "0.917"), ("ROC AUC", "0.974"), ("Train time", "9.4 s"), ("Trained", "96.1 K")):
        assert header.index(column) + len(column) == first.index(text) + len(text)
    assert intervals.split() == ["0.873–0.946", "0.955–0.985"]


def test_the_terminal_table_leaves_out_intervals_where_they_do_not_fit(compared):
    results = copy.deepcopy(compared.results)
    results["regimes"]["full_fine_tuning"]["cost"]["peak_memory_mb"] = 123456789
    results["regimes"]["full_fine_tuning"]["cost"]["train_seconds"] = 59 * 60 + 59
    table = main_tables.terminal_table(results)
    assert "0.873–0.946" not in table
    assert len(table.splitlines()) == 7


def test_with_several_seeds_the_training_time_has_its_standard_deviation(write):
    folders = [
        write.evaluation("custom_cnn", seed=seed, seconds=seconds) for seed, seconds in enumerate((9.0, 10.0, 11.0))
    ]
    (row,) = main_tables.main_table(built(write, folders)).rows
    assert "10.0 s (± 1.0 s)" in [str(cell) for cell in row]
