"""What the report says of searches: sensitivity, ranking, cost, and what was kept."""

import pytest

from components.compare import inputs
from components.compare.report import plots, reproduce, tuning
from components.compare.report.plots import style
from components.compare.report.plots import tuning as charts
from components.compare.report.tables import tuning as tables
from components.compare.report.tables.provenance import recipe_table
from tests.compare.conftest import make_record, render
from tests.compare.report.test_page import text_of
from tests.compare.searches import add_penalties, add_search, write_searches

SENSITIVITY, LAYERS = "<h3>Sensitivity to the learning rate", "<h3>Number of trainable layers"


def record_of(write, folders):
    return make_record(inputs.load(folders, write.summary()))


def test_without_a_search_the_report_has_nothing_of_it(write):
    shown, summary = render(write, write.evaluations(["custom_cnn", "partial_fine_tuning"]))
    assert not any(text in shown for text in (SENSITIVITY, LAYERS, "include the search", "tuned-"))
    assert "include the search" not in summary


@pytest.mark.medium
def test_with_searches_the_report_shows_sensitivity_cost_and_what_was_kept(write):
    shown, summary = render(write, write_searches(write))
    assert SENSITIVITY in shown
    assert LAYERS in shown
    text = text_of(shown)
    assert "Transfer learning is solved directly and has no learning rate" in text
    assert text.count("so they are slightly optimistic. No test image was used.") == 1
    assert "ROC AUC on 160 validation images of 120 patients by multiple of the learning rate" in text
    cost = (
        "Training time, price and epochs include the search for the learning rate and the number of trainable layers: "
        "all candidates of a seed (3 for Custom CNN, 9 for Partial fine-tuning and 3 for Full fine-tuning)"
    )
    assert cost in text[text.index("Pareto-optimal") :]
    assert cost in summary
    kept = text[text.index("The candidate that each seed kept") :]
    assert "Partial fine-tuning 0 9 0.900 learning rate 0.001 (× 1), 10 trainable layers" in kept
    assert "Transfer learning 0 4 0.970 C = 0.1 of the penalty, on block; no learning rate" in kept


def test_layers_alone_are_shown_alone_and_said_to_be_optimistic(write):
    folder = add_search(write.evaluation("partial_fine_tuning"), multiples=(1,), layers=(5, 10))
    shown, _ = render(write, [folder])
    assert SENSITIVITY not in shown
    assert LAYERS in shown
    assert "so they are slightly optimistic" in text_of(shown)
    assert "include the search for the number of trainable layers: all candidates of a seed (2 for" in text_of(shown)


@pytest.mark.medium
def test_a_ranking_that_depends_on_the_learning_rate_is_said_with_the_differences(write):
    record = record_of(write, write_searches(write))
    assert "depends on the learning rate, which is shown after correction" in tuning.ranking(record)
    lines = tuning.reversals(record)
    (pair,) = [own for own in record["tuning"]["reversals"] if own["b"] == "full_fine_tuning" and own["a"][0] == "c"]
    ahead, behind = (f"{own['value']:+.3f}".replace("-", "−") for own in pair["differences"])
    (line,) = [line for line in lines if line.startswith("Custom CNN − Full fine-tuning: ")]
    assert line.startswith(f"Custom CNN − Full fine-tuning: {ahead} (")
    assert f") at × 0.3, {behind} (" in line
    shown, _ = render(write, write_searches(write))
    assert line in text_of(shown)


def test_a_change_of_the_order_that_may_be_chance_is_said_to_be_one(write):
    folders = [
        add_search(write.evaluation("custom_cnn"), multiples=(1, 3), separations=[3.0, 3.05], seed=1),
        add_search(write.evaluation("full_fine_tuning"), multiples=(1, 3), separations=[3.05, 3.0], seed=2),
    ]
    record = record_of(write, folders)
    assert record["tuning"]["reversals"], "the means change their order"
    assert "not shown that this is more than chance:" in tuning.ranking(record)
    assert len(tuning.reversals(record)) == 1


def test_an_order_that_stays_is_said_to_stay(write):
    folders = [
        add_search(write.evaluation("custom_cnn"), separations=[1.5, 1.6, 1.4], seed=1),
        add_search(write.evaluation("full_fine_tuning"), separations=[4.0, 4.2, 4.1], seed=2),
    ]
    record = record_of(write, folders)
    assert tuning.ranking(record) == (
        "The order of the regimes by their mean ROC AUC on validation is the same with the multiples 0.3, 1 and 3 of "
        "the learning rate: Full fine-tuning, Custom CNN."
    )
    assert tuning.reversals(record) == []


def test_nothing_is_said_of_a_ranking_with_one_regime_or_one_multiple(write):
    one = record_of(write, [add_search(write.evaluation("custom_cnn"))])
    assert tuning.ranking(one) == ""
    folders = [add_search(write.evaluation("custom_cnn", "again"), multiples=(0.3, 1))]
    folders.append(add_search(write.evaluation("full_fine_tuning"), multiples=(1, 3)))
    assert tuning.ranking(record_of(write, folders)) == ""


def test_tables_have_a_row_for_each_value(write):
    folders = [
        add_search(write.evaluation("custom_cnn"), lost=(3,)),
        add_penalties(write.evaluation("transfer_learning")),
    ]
    record = record_of(write, folders)
    rows = [[str(cell) for cell in row] for row in tables.learning_rate_table(record).rows]
    assert [row[:2] for row in rows] == [
        *(["Custom CNN", f"× {multiple}"] for multiple in ("0.3", "1", "3")),
        *(["Transfer learning", f"penalty C = {strength}"] for strength in ("0.01", "0.1", "1")),
    ]
    assert rows[2][2:] == ["–", "0 of 1 seed", "1 of 1 seed"]
    assert rows[4][2:] == ["0.970", "1 of 1 seed", "–"]
    assert "(" in rows[0][2]
    assert tables.layers_table(record).rows == []


def test_charts_show_every_known_value_and_a_head_that_is_solved_as_a_line(write):
    record = record_of(write, [*write_searches(write, seeds=(0,))])
    with style.applied():
        drawing = charts.learning_rate(record)
    axes = drawing.figure.axes[0]
    solved = record["tuning"]["regimes"]["transfer_learning"]["roc_auc"]
    assert any(list(line.get_ydata()) == [solved["value"]] * 2 for line in axes.lines)
    points = record["tuning"]["regimes"]["custom_cnn"]["learning_rate"]
    values = [point["roc_auc"]["value"] for point in points]
    assert any(list(line.get_ydata()) == values for line in axes.lines)
    assert axes.get_xscale() == "log"
    assert f"Custom CNN: × 0.3 {values[0]:.3f} (" in drawing.alt
    assert "Transfer learning, without a learning rate, " in drawing.alt
    with style.applied():
        layers = charts.trainable_layers(record)
    assert "Partial fine-tuning: 5 0." in layers.alt


@pytest.mark.parametrize("change", [{}, {"multiples": (1,)}, {"lost": (1, 2), "kept": 3}])
def test_charts_need_two_values_and_bear_what_diverged(write, change):
    record = record_of(write, [add_search(write.evaluation("custom_cnn"), **change)] if change else write.evaluations())
    with style.applied():
        drawing = charts.learning_rate(record)
        assert charts.trainable_layers(record) is None
    assert (drawing is not None) == ("lost" in change)
    assert drawing is None or drawing.alt.startswith("Custom CNN: × 0.3 diverged, × 1 diverged, × 3 0.")
    assert {"tuned_learning_rate", "tuned_trainable_layers"} <= plots.FROM_FINDINGS.keys()


def test_the_command_searches_again_and_the_recipe_has_what_was_kept(write):
    folders = [add_search(write.evaluation("custom_cnn", seed=seed), kept=1 + seed) for seed in (0, 1)]
    given = inputs.load(folders, write.summary())
    for model in given.models:
        arguments = {"learning_rate": 0.0003, "tune_learning_rate": "0.3 1 3", "trainable_layers": 10}
        model.record["training"]["made_by"]["arguments"] |= arguments
    (row,) = [row for row in recipe_table(given).rows if str(row[0]) == "learning rate"]
    assert [str(cell) for cell in row] == ["learning rate", "0.0003 or 0.001"]
    given.dataset.info["ingest"] = {"arguments": {"source": "synthetic"}}
    words = reproduce.command(given, make_record(given))
    assert "--learning-rate 0.001 " in words
    assert "--tune-learning-rate 0.3 1 3" in words
