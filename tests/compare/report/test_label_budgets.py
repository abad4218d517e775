"""The section on numbers of labelled patients: what it says, and that it claims no more than is shown."""

import copy
import re

import pytest

from components.artifacts.names import REGIMES
from components.compare import budget_inputs, inputs
from components.compare.report import label_budget_notes, label_budgets, page, summary
from components.compare.report.label_budgets import about, answer
from components.compare.report.tables.label_budgets import all_tables, curves_table
from tests.compare.conftest import HOSTILE, STARTED, write_evaluation, write_failure, write_label_budgets, write_summary

NUMBERS = (50, 100, 400, 3000)


def make_metric(value):
    return {"value": value, "ci95": [value - 0.01, value + 0.01]}


def make_regime(values, twice=None, why=None):
    points = [
        {
            **{"patients": patients, "all": patients == 3000, "trainings": 5},
            **{"roc_auc": make_metric(value), "accuracy": make_metric(value - 0.1)},
        }
        for patients, value in zip(NUMBERS, values, strict=True)
    ]
    curve = None if why else {"a": 0.99, "b": 1.0, "c": 0.5, "p_value": 0.4, "points": []}
    doubling = None if twice is None else {"patients": 6000, "roc_auc": make_metric(0.98), "gain": make_metric(twice)}
    return {"points": points, "curve": curve, "why_no_curve": why, "doubling": doubling}


def make_pair(a, b, ahead, crossing=None):
    gaps = [
        {"patients": patients, "difference": 0.01, "ci95": [0, 0], "ahead": side}
        for patients, side in zip(NUMBERS, ahead, strict=True)
    ]
    return {"a": a, "b": b, "differences": gaps, "crossing": crossing}


def make_results(regimes, pairs, **changes):
    cost = {"trainings": 15, "diverged": 0, "seconds": 90.0, "shared_seconds": 1.0, "peak_memory_mb": 9.0}
    return {
        **{"patients": 3000, "draws": 5, "samples": 100, "label_price": None, "costs": [], "failed": {}},
        **{"regimes": regimes, "pairs": pairs},
        "cost_of_trainings": {name: {**cost, "left_out": {}} for name in regimes},
        **changes,
    }


TRANSFER, FULL, CNN = "transfer_learning", "full_fine_tuning", "custom_cnn"
RISING, FLAT = [0.8, 0.85, 0.93, 0.97], [0.9, 0.91, 0.92, 0.93]


def crossing(low, high):
    return {
        **{"first": TRANSFER, "second": FULL, "up_to": 100, "starting_at": 3000},
        **{"patients": 223.0, "ci95": [low, high], "from_curves": True},
    }


def test_a_crossing_is_named_with_its_interval_and_with_what_is_shown():
    pair = make_pair(TRANSFER, FULL, [TRANSFER, TRANSFER, None, FULL], crossing(151.0, 347.0))
    found = make_results({TRANSFER: make_regime(FLAT), FULL: make_regime(RISING)}, [pair])
    assert answer(found, found) == (
        "With 50 and 100 labelled patients transfer learning is shown to be ahead of full fine-tuning, full "
        "fine-tuning with 3,000; they change places at about 220 patients (95% interval 150 to 350)."
    )
    pair["crossing"] = crossing(None, None)
    assert "(95% interval below 50 to above 3,000)" in answer(found, found)


def test_a_change_that_is_not_shown_is_not_claimed():
    pair = make_pair(TRANSFER, FULL, [TRANSFER, None, None, None])
    found = make_results({TRANSFER: make_regime(FLAT), FULL: make_regime(RISING)}, [pair])
    assert answer(found, found) == (
        "Transfer learning has the highest ROC AUC with 50 labelled patients and full fine-tuning with 3,000, but "
        "the two are not shown to change places up to 3,000: transfer learning is shown to be ahead with 50."
    )
    pair["differences"][0]["ahead"] = None
    assert answer(found, found).endswith("not shown to change places up to 3,000.")


@pytest.mark.parametrize(
    ("ahead", "others", "words"),
    [
        ([FULL] * 4, [FULL] * 4, "it is shown to be ahead of every other regime with 50, 100, 400 and 3,000."),
        ([FULL, None, None, FULL], [None, None, None, FULL], "ahead of every other regime with 3,000."),
        ([FULL, None, None, None], [None] * 4, "ahead of the custom CNN with 50, but with no number of patients of"),
        ([None] * 4, [None] * 4, "but is not shown to be ahead of any other regime with any number of them."),
    ],
)
def test_one_regime_may_be_highest_everywhere(ahead, others, words):
    regimes = {CNN: make_regime(FLAT), TRANSFER: make_regime(FLAT), FULL: make_regime([v + 0.05 for v in FLAT])}
    pairs = [make_pair(CNN, TRANSFER, [None] * 4), make_pair(CNN, FULL, ahead), make_pair(TRANSFER, FULL, others)]
    found = make_results(regimes, pairs)
    text = answer(found, found)
    assert text.startswith("Full fine-tuning has the highest ROC AUC with 50 labelled patients and with all 3,000")
    assert words in text


def test_the_largest_budget_is_not_called_all_patients():
    regimes = {CNN: make_regime(FLAT), FULL: make_regime([value + 0.05 for value in FLAT])}
    pair = make_pair(CNN, FULL, [None] * 4)
    del pair["differences"][-1]  # the one regime failed with all patients
    found = make_results(regimes, [pair])
    assert answer(found, found).startswith(
        "Full fine-tuning has the highest ROC AUC with 50 labelled patients and with 400, but"
    )


def test_that_another_regime_is_highest_in_between_is_said():
    regimes = {CNN: make_regime([0.8, 0.93, 0.94, 0.95]), FULL: make_regime([0.9, 0.91, 0.92, 0.97])}
    found = make_results(regimes, [make_pair(CNN, FULL, [None] * 4)])
    assert answer(found, found) == (
        "Full fine-tuning has the highest ROC AUC with 50 labelled patients and with all 3,000 (another regime has it "
        "with 100 and 400), but is not shown to be ahead of any other regime with any number of them."
    )


def test_one_regime_alone_has_its_values():
    found = make_results({CNN: make_regime(RISING)}, [])
    assert answer(found, found) == (
        "The custom CNN reached a ROC AUC of 0.800 (0.790–0.810) with 50 and of 0.970 (0.960–0.980) with 3,000 "
        "labelled patients."
    )


def test_without_a_budget_nothing_is_known():
    found = make_results({}, [], draws=0, patients=None)
    assert "nothing is known about how many are needed" in answer(found, found)
    assert label_budgets.shown({"label_budgets": found}).sentences == []


def test_what_twice_as_many_labels_would_bring_is_that_of_the_best_with_all():
    regimes = {TRANSFER: make_regime(FLAT, 0.001), FULL: make_regime(RISING, 0.012)}
    found = make_results(regimes, [make_pair(TRANSFER, FULL, [None] * 4)], label_price=2.5)
    (sentence,) = label_budgets.shown({"label_budgets": found}).sentences
    assert sentence == (
        "Twice as many labelled patients (6,000) would bring full fine-tuning, the best with all of them, +0.012 in "
        "ROC AUC (95% interval +0.002 to +0.022), if its learning curve goes on like this; labelling them would cost "
        "7,500.00."
    )
    regimes[FULL] = make_regime(RISING, why="it does not rise")
    (sentence,) = label_budgets.shown({"label_budgets": found}).sentences
    assert sentence == (
        "What twice as many labelled patients (6,000) would bring full fine-tuning is not known, since it does not "
        "rise."
    )


def test_notes_name_what_was_left_out_for_whom_and_the_cost_of_the_trainings():
    found = make_results({TRANSFER: make_regime(FLAT), FULL: make_regime(RISING)}, [])
    costs = found["cost_of_trainings"]
    for own in costs.values():
        own["left_out"]["5000"] = "the dataset has 3,000 patients."
    costs[FULL]["left_out"]["20"] = "a class\nis missing"
    costs[FULL]["diverged"] = 2
    notes = label_budget_notes.notes(found)
    assert "Left out: 5,000 patients, since the dataset has 3,000 patients." in notes
    assert "Left out: 20 patients of full fine-tuning, since a class is missing." in notes
    assert any("3 min 0 s in total" in note and "Full fine-tuning 1 min 30 s (15 trainings)" in note for note in notes)
    assert any("Full fine-tuning 2" in note and "diverged" in note for note in notes)
    assert any("variation between draws and that between test patients" in note for note in notes)
    once = label_budget_notes.notes({**found, "draws": 1})
    assert any("variation between test patients only" in note for note in once)


def test_ends_of_intervals_are_rounded_outwards():
    assert about(123.4) == "120"
    assert about(1549.0) == "1,500"
    assert about(7.4) == "7"


def test_tables_say_why_there_is_no_curve():
    found = make_results({FULL: make_regime(RISING, why="reasons")}, [])
    found["failed"] = {CNN: {"cause": "crash", "reason": "x", "seconds": 3.0}}
    rows = curves_table(found, found).rows
    assert [str(cell) for cell in rows[0]] == ["Custom CNN", "failed: its process crashed, after 3.0 s"]
    assert [str(cell) for cell in rows[1]] == ["Full fine-tuning", "no curve: reasons"]


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    base = tmp_path_factory.mktemp("budgets")
    evaluations = [write_evaluation(base / name, name) for name in REGIMES]
    folders = [write_label_budgets(base / f"{name}-budgets", name) for name in REGIMES[:3]]
    folders.append(write_failure(base / "failed", REGIMES[3], reason=HOSTILE))
    loaded = inputs.load(evaluations, write_summary(base / "summary"))
    return loaded, budget_inputs.load(folders, loaded)


@pytest.fixture(scope="module")
def record(given):
    from components.artifacts import files  # noqa: PLC0415
    from components.compare.compare import build  # noqa: PLC0415

    header = files.header("comparison", STARTED, {"replicates": 200, "gpu_hour_price": 0.0, "cpu_hour_price": 0.0})
    return header | build(given[0], "run", budgets=given[1], label_price=1.5)


def plain(text):
    words = re.sub(r"<style>.*?</style>|<[^>]+>", " ", text, flags=re.DOTALL)
    return re.sub(r"\s+", " ", words.replace("\N{WORD JOINER}", "").replace("\N{NO-BREAK SPACE}", " "))


@pytest.mark.medium
def test_the_section_is_directly_below_the_first_screen(given, record):
    found = page.html(record, given[0], {})
    assert re.findall(r"<h2 id=\"(\w+)\">", found)[:2] == ["labels", "evidence"]
    links = found[found.index("<nav") :]
    assert links.index('href="#labels"') < links.index('href="#evidence"')
    section = plain(found[found.index('<h2 id="labels">') : found.index('<h2 id="evidence">')])
    text = label_budgets.shown(record)
    assert text.answer in section
    assert all(note in section for note in text.notes)
    for regime in record["label_budgets"]["regimes"].values():
        for point in regime["points"]:
            assert f"{point['roc_auc']['value']:.3f}" in section
            assert f"{point['accuracy']['value']:.3f}" in section
    assert "3,000 (all)" in section
    assert "4,500.00" in section
    assert "2,400 + 600" in section
    assert "label_budgets.csv" in found


def test_a_failed_regime_is_named_with_its_reason_as_text(given, record):
    found = page.html(record, given[0], {})
    markdown = summary.markdown_summary(record, given[0])
    assert "Full fine-tuning: its trainings with budgets failed (out of memory)" in plain(found)
    assert "<script" not in found + markdown
    assert "failed: out of memory, after 3 min 5 s" in plain(found)


def test_the_summary_has_the_answer(given, record):
    text = label_budgets.shown(record)
    assert f"**{text.title}** {text.answer}" in summary.markdown_summary(record, given[0])


def test_without_label_budgets_nothing_is_mentioned(given, record):
    found = copy.deepcopy(record)
    del found["label_budgets"]
    text = page.html(found, given[0], {}) + summary.markdown_summary(found, given[0])
    assert "labelled patients" not in text
    assert "#labels" not in text
    assert "label_budgets" not in text


def test_the_external_test_set_has_tables_of_its_own(record):
    found = copy.deepcopy(record["label_budgets"])
    assert len(all_tables(found)) == 4
    found["external"] = {"regimes": found["regimes"], "pairs": found["pairs"]}
    tables = all_tables(found)
    assert len(tables) == 8
    assert tables["external_budgets"].headers == tables["budgets_accuracy"].headers
    assert tables["budgets"].headers[-2:] == ["For training + for validation", "Price of the labels"]


def test_differences_that_are_shown_are_marked(record):
    found = record["label_budgets"]
    table = all_tables(found)["budgets_differences"]
    assert table.headers[-1] == "3,000 patients"
    for row, pair in zip(table.rows, found["pairs"], strict=True):
        marks = ["*" in cell.value for cell in row[1:]]
        assert marks == [bool(gap["ahead"]) for gap in pair["differences"]]
    assert any("*" in cell.value for row in table.rows for cell in row)
