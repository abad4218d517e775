"""What the gate makes of a history: which runs a run is compared with, what goes on, and who becomes champion."""

import json

import pytest

from components.gate import earlier
from components.gate.earlier import Earlier
from components.gate.judging import judge
from components.gate.verdict import MEMORY, QUALITY, TIME
from components.tracking import names
from tests.gate.history import History

CNN, FULL = "custom_cnn", "full_fine_tuning"
BAD = [(QUALITY, CNN)]


@pytest.fixture
def history():
    """A champion and some runs that are like it."""
    made = History()
    made.add("w00", {CNN: 3.0}, promoted=True)
    for week in range(1, 15):
        made.add(f"w{week:02}", {CNN: 3.0})
    return made


def pairs(found):
    return [(alarm.chart, alarm.regime) for alarm in found.verdict.alarms]


def test_a_lasting_loss_with_one_seed_rings_for_ever(history):
    for week in range(15, 60):
        run = history.add(f"w{week}", {CNN: 1.0})
        found = judge(history, run)
        assert pairs(found) == BAD, week
        run.tags[names.ALARMS] = json.dumps(pairs(found))


def test_runs_that_rang_tell_nothing_about_the_variation_but_the_champion_and_accepted_ones_do(history):
    def areas(champion):
        return Earlier(history, last).areas(champion)[CNN]

    history.add("w15", {CNN: 2.0}, alarms=BAD)
    accepted = history.add("w16", {CNN: 2.0}, alarms=BAD, accepted=True)
    last = history.add("w17", {CNN: 3.0})
    own = {run.id: history.of_runs[run.id][0].metrics["roc_auc"] for run in history.recorded}
    assert areas(history.recorded[0])[0] == [own["w00"]]
    assert len(areas(history.recorded[0])) == 16
    assert areas(accepted)[0] == [own["w16"]], "the champion is the first"
    assert [own["w15"]] not in areas(accepted)
    assert areas(history.recorded[15])[0] == [own["w15"]]


def test_a_regime_that_the_champion_lacks_is_watched_from_the_next_run_on(history):
    first = history.add("w15", {CNN: 3.0, FULL: 3.5})
    found = judge(history, first)
    assert found.verdict.champion == "w00"
    assert any("w00 lacks Full fine-tuning" in note for note in found.verdict.notes)
    assert found.verdict.promoted
    history.recorded.pop()
    history.add("w15", {CNN: 3.0, FULL: 3.5}, promoted=True, noise=15)
    found = judge(history, history.add("w16", {CNN: 3.0, FULL: 1.0}))
    assert pairs(found) == [(QUALITY, FULL)]
    assert not found.verdict.promoted
    assert not judge(history, history.add("w17", {CNN: 3.0, FULL: 3.5})).verdict.promoted


def test_with_an_alarm_a_run_with_a_new_regime_is_no_champion(history):
    found = judge(history, history.add("w15", {CNN: 1.0, FULL: 3.5}))
    assert pairs(found) == BAD
    assert not found.verdict.promoted
    assert any("w00 lacks Full fine-tuning" in note for note in found.verdict.notes)


def test_in_place_of_a_champion_that_cannot_be_read_the_one_before_is_taken(history):
    history.add("w15", {CNN: 3.0}, promoted=True)
    history.unreadable.add("w15")
    found = judge(history, history.add("w16", {CNN: 1.0}))
    assert pairs(found) == BAD
    assert found.verdict.champion == "w00"
    assert not found.verdict.promoted
    assert any("w15 is damaged" in warning for warning in found.verdict.warnings)


def test_if_no_champion_can_be_read_the_run_takes_its_place(history):
    history.unreadable.add("w00")
    found = judge(history, history.add("w15", {CNN: 3.0}))
    assert found.verdict.promoted
    assert found.verdict.warnings[-1] == "no champion of these data can be read, so this run takes its place"
    # If the run itself cannot be read, it does not.
    history.unreadable.add("w16")
    found = judge(history, history.add("w16", {CNN: 3.0}))
    assert not found.verdict.promoted
    assert not found.verdict.quality


def test_the_same_models_do_not_confirm_themselves(history):
    history.add("w15", {CNN: 1.5}, noise=99, alarms=BAD, suspected=BAD)
    found = judge(history, history.add("w16", {CNN: 1.5}, noise=99), confirm=True)
    assert (found.verdict.suspected, found.new, found.ended) == (True, (), ())
    assert any("the models are the same as in the run before" in note for note in found.verdict.notes)
    history.recorded.pop()
    found = judge(history, history.add("w17", {CNN: 1.5}, noise=98), confirm=True)
    assert not found.verdict.suspected
    assert len(found.new) == 1


def test_an_alarm_that_was_certain_goes_on_with_the_same_models(history):
    history.add("w15", {CNN: 1.5}, noise=99, alarms=BAD)
    found = judge(history, history.add("w16", {CNN: 1.5}, noise=99), confirm=True)
    assert (found.verdict.suspected, found.new) == (False, ())
    assert pairs(found) == BAD


def test_an_alarm_of_costs_ends_with_a_run_that_is_as_before(history):
    slow = {"images_per_second": 50.0}
    rung = [(TIME, CNN)]
    history.add("w15", {CNN: 3.0}, cost=slow)
    history.add("w16", {CNN: 3.0}, cost=slow, alarms=rung)
    assert pairs(judge(history, history.add("w17", {CNN: 3.0}, cost=slow))) == rung
    history.recorded.pop()
    history.add("w17", {CNN: 3.0}, cost=slow, alarms=rung, noise=16)
    found = judge(history, history.add("w18", {CNN: 3.0}))
    assert found.verdict.cost[CNN][TIME]["statistic"] > 0, "what is left of the sum"
    assert pairs(found) == []
    assert found.ended == ("Custom CNN: training time: no alarm any more",)


def series(history, run):
    return {pair: len(own.runs) for pair, own in Earlier(history, run).series().items()}


@pytest.mark.parametrize(
    ("parameters", "time", "memory"),
    [
        ({}, 16, 16),
        ({"train_images": "1040"}, 16, 16),
        ({"train_images": "1100"}, 16, 1),
        ({"train_images": ""}, 16, 1),
        ({"image_size": "128"}, 1, 1),
        ({"path": "/data/other"}, 1, 1),
        ({"source": "kaggle"}, 1, 1),
    ],
)
def test_costs_are_compared_with_runs_of_the_same_source_and_size(history, parameters, time, memory):
    run = history.add("w15", {CNN: 3.0}, fingerprint="other", parameters=parameters)
    assert series(history, run) == {(TIME, CNN): time, (MEMORY, CNN): memory}


def test_memory_is_that_of_the_gpu_if_all_runs_have_it():
    made = History()
    for week in range(5):
        run = made.add(f"w{week}", {CNN: 3.0}, cost={"peak_gpu_memory_mb": 100.0 + week})
    assert Earlier(made, run).series()[MEMORY, CNN].values == [100, 101, 102, 103, 104]
    made.add("w5", {CNN: 3.0})
    run = made.add("w6", {CNN: 3.0}, cost={"peak_gpu_memory_mb": 100.0})
    assert Earlier(made, run).series()[MEMORY, CNN].values == [800.0] * 7


@pytest.mark.parametrize(
    ("before", "after", "same"),
    [
        ({"source": "kaggle", "path": "a/b"}, {"source": "kaggle", "path": "a/b/versions/4"}, True),
        ({"source": "kaggle", "path": "a/b/versions/3"}, {"source": "kaggle", "path": "a/c/versions/3"}, False),
        ({"source": "synthetic", "path": ""}, {"source": "synthetic", "path": ""}, True),
        ({"source": "https://a/x.zip"}, {"source": "https://a/y.zip"}, False),
    ],
)
def test_a_new_version_of_a_source_is_a_change_of_its_data(before, after, same):
    made = History()
    first = made.add("w0", {CNN: 3.0}, parameters=before, promoted=True)
    run = made.add("w1", {CNN: 3.0}, parameters=after, fingerprint="cd34")
    assert Earlier(made, run).with_other_data() == (first if same else None)
    assert (earlier.source(first) == earlier.source(run)) == same


def test_kept_images_with_other_labels_are_said_and_ring(history):
    run = history.add("w15", {CNN: 3.0}, fingerprint="cd34")
    table = history.predictions["w15"].predictions
    table["label"] = 1 - table["label"]
    for one in history.predictions.values():
        one.record["dataset"] = {"image_size": 96}
    found = judge(history, run)
    assert pairs(found) == [("data", "")]
    assert found.verdict.alarms[0].reason.startswith("300 of 300 kept images have another label than before")
    assert any("300 kept, 300 of these with another label or other pixels, since w00" in n for n in found.verdict.notes)
