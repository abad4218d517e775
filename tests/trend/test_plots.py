"""What the plots show: broken lines, the champion's and the expected level, marks, and places inside of the plot."""

import re
from itertools import pairwise

import pytest

from components.artifacts.names import REGIMES
from components.gate.verdict import MEMORY, QUALITY, TIME, Alarm, Verdict
from components.look import LOOKS
from components.tracking.history import Estimate
from components.trend.page import page
from components.trend.svg import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH
from tests.trend.runs import plots, shown, text, tree

OTHER = "cd34" * 16
NUMBER = r"-?\d+(?:\.\d)?"


def lines(svg, regime):
    """The x positions of the points of each line that joins values."""
    colour = LOOKS[regime].colour
    drawn = [path.get("d") for path in svg.findall("path[@fill='none']") if path.get("stroke") == colour]
    joined = [outline for outline in drawn if "L" in outline]
    return [[float(pair.split()[0]) for pair in outline.removeprefix("M").split("L")] for outline in joined]


def markers(svg, regime):
    """The tooltips of the points."""
    return [text(path.find("title")) for path in svg.findall(f"path[@fill='{LOOKS[regime].colour}']")]


def dashed(svg):
    """The outline of the level that values are compared with."""
    return next((p.get("d") for p in svg.iter("path") if p.get("stroke-dasharray") == "5 2.5"), "")


def titles(svg):
    return [text(element) for element in svg.iter("title")]


@pytest.mark.parametrize(("changed", "more"), [(0, ""), (12, ", 12 changed")])
def test_lines_are_broken_where_the_data_changed_and_a_mark_says_so(changed, more):
    counts = {"images": "1010", "pneumonia": "600"}
    figures = {"added": 31, "gone": 1, "kept": 2999, "changed": changed}
    later = Verdict("", "", data=figures, promoted=True)
    runs = [shown(week) for week in range(3)]
    runs += [shown(3, fingerprint=OTHER, counts=counts, verdict=later, promoted=True)]
    runs += [shown(week, fingerprint=OTHER, counts=counts) for week in (4, 5)]
    drawn = plots(tree(page(runs)))
    assert [len(line) for line in lines(drawn["Custom CNN 1"], "custom_cnn")] == [3, 3]
    # Time is measured for each image, so it goes on.
    assert [len(line) for line in lines(drawn["Custom CNN 2"], "custom_cnn")] == [6]
    change = "New data B from 26 Jan 2026 on: 3,030 images, 59.4% pneumonia; 31 images more, 1 gone" + more
    for name in ("Custom CNN 1", "Custom CNN 2", "Full fine-tuning 3", "Images 1"):
        assert change in titles(drawn[name])
        assert "B" in [text(element) for element in drawn[name].findall("g/text")]
    assert not [title for title in titles(plots(tree(page(runs[:3])))["Images 1"]) if "New data" in title]


def test_lines_of_two_datasets_in_turn_join_the_runs_on_the_same_data():
    runs = [shown(week, fingerprint=OTHER if week % 2 else "ab12" * 16) for week in range(6)]
    first, second = lines(plots(tree(page(runs)))["Custom CNN 1"], "custom_cnn")
    assert (len(first), len(second)) == (3, 3)
    assert first[0] < second[0] < first[1] < second[1]


@pytest.mark.parametrize("change", [{"hardware": "other"}, {"recipe": "other"}])
def test_lines_of_costs_are_broken_where_machine_or_recipe_changed(change):
    runs = [shown(0), shown(1), shown(2, **change), shown(3, **change)]
    drawn = plots(tree(page(runs)))
    assert [len(line) for line in lines(drawn["Custom CNN 2"], "custom_cnn")] == [2, 2]
    assert [len(line) for line in lines(drawn["Custom CNN 3"], "custom_cnn")] == [2, 2]
    broken = [2, 2] if "recipe" in change else [4]
    assert [len(line) for line in lines(drawn["Custom CNN 1"], "custom_cnn")] == broken


def test_a_failed_training_breaks_the_line_and_has_a_cross_with_the_reason():
    runs = [shown(week) for week in range(5)]
    runs[2] = shown(2, failed={"custom_cnn": "out of memory"})
    drawn = plots(tree(page(runs)))
    for row in (1, 2, 3):
        svg = drawn[f"Custom CNN {row}"]
        assert [len(line) for line in lines(svg, "custom_cnn")] == [2, 2]
        assert "20260119-030000, 19 Jan 2026: the training failed: out of memory" in titles(svg)
        assert len(markers(svg, "custom_cnn")) == 4
    assert [len(line) for line in lines(drawn["Full fine-tuning 1"], "full_fine_tuning")] == [5]


def test_points_tell_their_run_its_numbers_and_the_champion():
    runs = [
        shown(0, verdict=Verdict(promoted=True), promoted=True, name="first"),
        shown(1, verdict=Verdict("id0", "first"), areas={"custom_cnn": 0.912}, name="second"),
    ]
    svg = plots(tree(page(runs)))["Custom CNN 1"]
    assert markers(svg, "custom_cnn") == [
        "first, 5 Jan 2026: 0.930 (0.910–0.950)",
        "second, 12 Jan 2026: 0.912 (0.892–0.932); champion first: 0.930",
    ]
    assert [title for title in titles(svg) if title.startswith("Champion")] == [
        "Champion: first, 5 Jan 2026: 0.930 (0.910–0.950)"
    ]


def level_steps(svg):
    """How often the dashed line changes its height or begins anew."""
    return re.findall("[MV]", dashed(svg))


def test_the_champions_line_changes_with_the_champion_and_ends_with_its_data():
    runs = [
        shown(0, verdict=Verdict(promoted=True), promoted=True),
        shown(1, verdict=Verdict("id0", "x")),
        shown(2, verdict=Verdict("id0", "x", promoted=True), promoted=True, areas={"custom_cnn": 0.95}),
        shown(3, verdict=Verdict("id2", "x")),
        shown(4, fingerprint=OTHER, verdict=Verdict(promoted=True), promoted=True),
    ]
    svg = plots(tree(page(runs)))["Custom CNN 1"]
    assert level_steps(svg) == ["M", "V", "M"]
    assert len([title for title in titles(svg) if title.startswith("Champion")]) == 3
    # The champion of a run is the one that it was compared with, even if that is of the run's own future line.
    assert "champion 20260105-030000: 0.930" in markers(svg, "custom_cnn")[2]
    assert "champion 20260119-030000: 0.950" in markers(svg, "custom_cnn")[3]


def test_runs_from_before_the_gate_have_the_champion_that_was_promoted_last():
    runs = [shown(0, verdict=None), shown(1, verdict=None, promoted=True), shown(2, verdict=None)]
    points = markers(plots(tree(page(runs)))["Custom CNN 1"], "custom_cnn")
    assert ["champion" in point for point in points] == [False, False, True]
    assert "champion 20260112-030000: 0.930" in points[2]


def test_a_champion_of_other_data_is_no_level():
    runs = [shown(0, verdict=Verdict(promoted=True), promoted=True)]
    runs += [shown(1, fingerprint=OTHER, verdict=Verdict("id0", "x"))]
    svg = plots(tree(page(runs)))["Custom CNN 1"]
    assert level_steps(svg) == ["M"]
    assert "champion" not in markers(svg, "custom_cnn")[1]


def test_costs_have_the_level_that_the_gate_expected():
    figures = {"custom_cnn": {TIME: {"expected": 0.0025, "value": 0.0021}, MEMORY: {"expected": None}}}
    runs = [shown(0), shown(1, verdict=Verdict("id0", "x", cost=figures))]
    drawn = plots(tree(page(runs)))
    assert markers(drawn["Custom CNN 2"], "custom_cnn") == [
        "20260105-030000, 5 Jan 2026: 2.1 ms",
        "20260112-030000, 12 Jan 2026: 2.1 ms; expected 2.5 ms",
    ]
    assert level_steps(drawn["Custom CNN 2"]) == ["M"]
    assert level_steps(drawn["Custom CNN 3"]) == []
    assert level_steps(drawn["Full fine-tuning 2"]) == []


def test_the_unit_of_a_row_fits_its_largest_value():
    heads = [text(h) for h in tree(page([shown(0, seconds={"custom_cnn": 2.5})])).iter("h3")]
    assert heads[1] == "Training time per image and epoch (s)"
    assert [text(h) for h in tree(page([shown(0)])).iter("h3")] == [
        "ROC AUC on the test images",
        "Training time per image and epoch (ms)",
        "Peak memory of the training (MB)",
        "Data",
    ]


def test_nothing_is_drawn_outside_and_flags_do_not_cover_each_other():
    every = [Alarm(QUALITY, regime, "reason") for regime in REGIMES]
    verdicts = {week: Verdict("id0", "x", tuple(every)) for week in (0, 2, 4, 6, 50, 53, 55, 57, 59)}
    runs = [shown(week, verdict=verdicts.get(week, Verdict("id0", "x"))) for week in range(60)]
    for svg in plots(tree(page(runs))).values():
        places = [float(flag.get("x")) for flag in svg.findall("a/text")]
        assert all(after - before >= 14.9 for before, after in pairwise(places))
        assert all(LEFT <= place <= WIDTH - RIGHT for place in places)
        for circle in svg.iter("circle"):
            assert LEFT <= float(circle.get("cx")) <= WIDTH
            assert 0 <= float(circle.get("cy")) <= HEIGHT
        for outline in (path.get("d") for path in svg.iter("path")):
            assert all(-6 <= float(number) <= WIDTH for number in re.findall(NUMBER, outline))


def test_data_that_change_with_every_run_have_ticks_instead_of_lines():
    runs = [shown(week, fingerprint=f"{week:064d}") for week in range(40)]
    svg = plots(tree(page(runs)))["Images 1"]
    marked = [g for g in svg.findall("g") if g.find("title") is not None]
    assert len(marked) == 39
    assert not [g for g in marked if "stroke-dasharray" in g.find("path").attrib]
    assert 5 < len([g for g in marked if g.find("text") is not None]) < 39
    few = plots(tree(page(runs[:5])))["Images 1"]
    assert all("stroke-dasharray" in g.find("path").attrib for g in few.findall("g") if g.find("title") is not None)


def test_unknown_numbers_of_images_are_said():
    runs = [shown(0, counts={"images": "", "pneumonia": ""})]
    found = tree(page(runs))
    assert plots(found)["Images 1"].get("aria-label") == "Images: no values"
    assert "unknown size" in text(found)


def test_an_interval_that_is_much_wider_than_the_others_is_cut_and_told():
    runs = [shown(week, areas={"custom_cnn": 0.93 + 0.001 * week}) for week in range(9)]
    wide = shown(9)
    wide.run.metrics["custom_cnn"]["roc_auc"] = Estimate(0.93, 0.2, 0.99)
    before, after = (plots(tree(page(some)))["Custom CNN 1"] for some in ([*runs, shown(9)], [*runs, wide]))
    ticks = [[text(label) for label in svg.find("g").findall("text")] for svg in (before, after)]
    assert ticks[0] == ticks[1]
    assert "0.930 (0.200–0.990)" in markers(after, "custom_cnn")[9]
    whiskers = next(path.get("d") for path in after.iter("path") if "stroke-opacity" in path.attrib)
    ends = [float(number) for number in re.findall(NUMBER, whiskers.rpartition("M")[2])[1:]]
    assert ends == [HEIGHT - BOTTOM, TOP]
