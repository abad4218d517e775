"""Alarms that go on from run to run: what ends them, what does not, and what the first sentence says of them."""

import pytest

from components.gate.verdict import DATA, QUALITY, TIME, Alarm, Verdict
from components.trend.page import page
from tests.trend.runs import answer, shown, text, tree, year

SLOW = Alarm(TIME, "full_fine_tuning", "Full fine-tuning: 31% more training time than expected")
WORSE = Alarm(QUALITY, "custom_cnn", "Custom CNN: ROC AUC 0.900, the champion's 0.930")
DRIFT = Alarm(DATA, "", "brightness of the images that were added: mean 0.700, of the others 0.500")


def listed(html):
    """The alarms in the list, the newest first."""
    return [text(element) for element in tree(html).iter("li") if "value" in element.attrib]


def cautions(html):
    return [text(element) for element in tree(html).iter("p") if element.get("class") == "caution"]


def in_turn(alarm, alike=None, other=None, first=3, last=9):
    """Two schedules in turn, told apart by `other`; each even run from `first` to `last` has the alarm."""
    return [
        shown(
            week,
            verdict=Verdict("id0", "x", (alarm,) if week % 2 == 0 and first <= week <= last else ()),
            **((other if week % 2 else alike) or {}),
        )
        for week in range(10)
    ]


@pytest.mark.parametrize(
    ("alarm", "other"),
    [
        (SLOW, {"recipe": "other"}),
        (SLOW, {"hardware": "other"}),
        (WORSE, {"recipe": "other"}),
        (WORSE, {"fingerprint": "cd34" * 16}),
        (DRIFT, {"recipe": "other"}),
    ],
)
def test_runs_of_another_schedule_do_not_end_an_alarm(alarm, other):
    html = page(in_turn(alarm, other=other))
    (item,) = listed(html)
    assert "2 Feb 2026 to 2 Mar 2026, 3 runs, goes on" in item
    assert "1 alarm in the last runs: " in answer(html)
    assert answer(html).endswith("; 1 in 10 runs.")
    assert cautions(html) == [f"Alarm, 20260302-030000: {alarm.reason}"]
    ended = page(in_turn(alarm, other=other, last=6))
    assert "2 Feb 2026 to 16 Feb 2026, 2 runs" in listed(ended)[0]
    assert "goes on" not in listed(ended)[0]
    assert answer(ended) == "No alarm in the last run; 1 in 10 runs."
    assert cautions(ended) == []


@pytest.mark.parametrize(("alarm", "other"), [(SLOW, {"fingerprint": "cd34" * 16}), (WORSE, {"hardware": "other"})])
def test_runs_that_the_gate_compares_with_each_other_end_an_alarm(alarm, other):
    html = page(in_turn(alarm, other=other))
    assert len(listed(html)) == 3
    assert answer(html) == "No alarm in the last run; 3 in 10 runs."


def test_a_failed_training_does_not_end_an_alarm():
    runs = year(week6=[SLOW], week9=[SLOW])
    runs[7:9] = [shown(week, failed={"full_fine_tuning": "out of memory"}) for week in (7, 8)]
    (item,) = listed(page(runs))
    assert "2 runs, goes on" in item
    assert "1 alarm in the last runs" in answer(page(runs[:9]))


def test_an_alarm_is_over_once_a_new_recipe_has_run_twice():
    before = year(week9=[SLOW])
    once = [*before, shown(10, recipe="new")]
    assert "1 alarm in the last runs" in answer(page(once))
    assert answer(page([*once, shown(11, recipe="new")])) == "No alarm in the last run; 1 in 12 runs."
    dropped = {"full_fine_tuning": None}
    without = page([*before, shown(10, areas=dropped), shown(11, areas=dropped)])
    assert answer(without) == "No alarm in the last run; 1 in 12 runs."


def test_an_alarm_that_a_person_accepted_no_longer_goes_on():
    runs = year(week8=[SLOW])
    html = page([*runs[:9], shown(9, verdict=Verdict("id0", "x", (SLOW,)), accepted=True)])
    assert answer(html) == "No alarm in the last run that was not accepted; 1 in 10 runs."
    assert cautions(html) == [f"Accepted: {SLOW.reason}"]
    (item,) = listed(html)
    assert "2 runs, accepted" in item
    assert "20260309-030000, accepted: " in item
    assert "20260302-030000: " in item
    assert "goes on" not in item
    # What rings after it is new: the gate compares it with the run that was accepted.
    after = page([*runs[:8], shown(8, verdict=Verdict(alarms=(SLOW,)), accepted=True), *year(week9=[SLOW])[9:]])
    assert ["goes on" in one for one in listed(after)] == [True, False]
    assert answer(after) == "1 alarm in the last run: training time of Full fine-tuning; 2 in 10 runs."
