"""What the gate makes of recorded runs: alarms, champion, news; real comparisons in real histories."""

import contextlib
import dataclasses
import json
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from components.artifacts import files, image_table
from components.console import UserError
from components.gate.verdict import Verdict
from components.record import gate as module
from components.record import notification
from components.record.content import Origin
from components.record.gate import Gate, RegressionError
from components.record.record import record
from components.tracking import names, places
from tests.record import year
from tests.record.conftest import Recorded, write_models

PROJECT = Path(__file__).parents[2]

pytestmark = pytest.mark.slow  # a history costs seconds
REGIMES = ("custom_cnn", "full_fine_tuning")
QUIET = 8
"""Weeks without a change that the histories of these tests begin with."""

WORSE = 2.6
"""Standard deviations, of 3.8, that full fine-tuning separates the classes less where it is worse."""

FULL_QUALITY, FULL_TIME = ("quality", "full_fine_tuning"), ("time", "full_fine_tuning")


@dataclasses.dataclass
class Weekly(Recorded):
    """A history that weekly runs are recorded into."""

    folder: Path = Path()

    def week(self, number, identity="", gate=Gate(), register="", **changes):  # noqa: B008 (frozen)
        """Records the run of a week; gives it as it is in the history."""
        week = year.Week(number, started=year.FIRST + timedelta(weeks=number - 1))
        week = replace(week, **changes)
        folder = self.folder / f"{week.name}-{identity}"
        if not folder.exists():
            year.write_week(folder, week, REGIMES)
        return self.again(folder, identity or f"week {number}", gate, register)

    def again(self, folder, identity, gate=Gate(), register=""):  # noqa: B008 (frozen)
        kept = None
        try:
            kept = record(folder / "comparison", self.uri, Origin(identity), register, gate=gate)
        finally:
            found = [run for run in self.history.runs() if kept in (None, run.id)]
        return found[0]

    def register(self, number, **changes):
        """Records and registers the run of a week; gives it and the aliases in the registry."""
        week = replace(year.Week(number, started=year.FIRST + timedelta(weeks=number - 1)), **changes)
        run = year.write_week(self.folder / f"{week.name}-registered", week, REGIMES)
        write_models(run / "steps", {regime: [run / "steps" / f"{regime}-{s}" for s in (1, 2)] for regime in REGIMES})
        models = sorted(path.parent for path in run.glob("steps/train-*/model/models.json"))
        identifier = record(run / "comparison", self.uri, Origin(f"week {number}"), "pneumonia", models)
        aliases = self.client.get_registered_model("pneumonia").aliases
        return self.history.find(identifier), {alias: int(version) for alias, version in aliases.items()}

    def verdict(self, run):
        return Verdict.from_json(self.history.verdict(run))

    def champions(self):
        return [run.name for run in self.history.runs() if run.promoted]


@pytest.fixture(scope="session")
def quiet(tmp_path_factory, empty_database):
    """A history of some weeks without a change; what is recorded into copies of it lies beside its own files."""
    folder = tmp_path_factory.mktemp("quiet")
    shutil.copyfile(empty_database, folder / places.DEFAULT)
    year.year(folder, count=QUIET, regimes=REGIMES)
    return folder / places.DEFAULT


@pytest.fixture
def weekly(quiet, tmp_path, monkeypatch):
    monkeypatch.delenv(names.NOTIFY_VARIABLE, raising=False)
    shutil.copyfile(quiet, tmp_path / places.DEFAULT)
    return Weekly(places.sqlite(tmp_path / places.DEFAULT), tmp_path)


@pytest.fixture
def told(monkeypatch):
    """What somebody was notified of."""
    messages = []
    monkeypatch.setenv(names.NOTIFY_VARIABLE, "https://hooks.slack.com/geheim")
    monkeypatch.setattr(notification, "notify", lambda _, text, __: messages.append(text) or True)
    return messages


def rung(run):
    return [tuple(pair) for pair in json.loads(run.tags[names.ALARMS])]


def test_weeks_without_a_change_ring_nothing_and_the_first_one_is_champion(weekly):
    runs = weekly.history.runs()
    assert [rung(run) for run in runs] == [[]] * QUIET
    assert weekly.champions() == [runs[-1].name]
    verdict = weekly.verdict(runs[0])
    assert verdict.champion_name == runs[-1].name
    assert set(verdict.quality) == set(verdict.cost) == set(REGIMES)
    assert weekly.verdict(runs[-1]) == Verdict(promoted=True, cost=weekly.verdict(runs[-1]).cost)


def test_worse_quality_rings_and_the_champion_stays(weekly, told, capsys):
    run = weekly.week(9, worse=WORSE)
    assert rung(run) == [FULL_QUALITY]
    (alarm,) = weekly.verdict(run).alarms
    assert alarm.reason.startswith("Full fine-tuning: ROC AUC 0.7")
    assert weekly.champions() == ["20260105-030000"]
    (message,) = told
    assert message.splitlines() == ["pneumonia-benchmark, run 20260302-030000", f"alarm: {alarm.reason}"]
    assert f"record: alarm: {alarm.reason}\n" in capsys.readouterr().out


def test_with_fail_everything_is_recorded_before_the_step_fails(weekly, told):
    with pytest.raises(RegressionError) as failed:
        weekly.week(9, worse=WORSE, gate=Gate("fail"))
    run = weekly.history.runs()[0]
    (alarm,) = weekly.verdict(run).alarms
    assert failed.value.lines == [f"regression: {alarm.reason}"]
    assert len(told) == 1
    with pytest.raises(RegressionError):
        weekly.week(9, worse=WORSE, gate=Gate("fail"))
    assert len(told) == 1, "recorded again it is the same verdict, and no news"
    weekly.history.promote(run, by_hand=True)
    assert weekly.week(9, worse=WORSE, gate=Gate("fail")).id == run.id, "a person has accepted it"
    assert len(weekly.history.runs()) == QUIET + 1


def test_recorded_again_it_is_the_same_verdict_whatever_came_since(weekly):
    run = weekly.week(9, worse=WORSE)
    before = weekly.history.verdict(run)
    weekly.history.promote(weekly.week(10), by_hand=True)
    assert weekly.history.verdict(weekly.week(9, worse=WORSE)) == before


def test_an_alarm_that_lasts_is_told_once_and_its_end_once(weekly, told):
    weekly.week(9, worse=WORSE)
    assert rung(weekly.week(10, worse=WORSE)) == [FULL_QUALITY]
    assert len(told) == 1
    assert rung(weekly.week(11)) == []
    weekly.week(12)
    assert len(told) == 2
    assert told[1].splitlines()[1:] == ["ended: Full fine-tuning: quality: no alarm any more"]


@pytest.mark.parametrize("error", [None, KeyboardInterrupt])
def test_what_nobody_was_told_of_is_news_in_the_next_recording(weekly, told, monkeypatch, error):
    """A message is lost if the server refuses it, or the command is stopped meanwhile."""

    def lose(*_):
        if error:
            raise error
        return False

    def lost(number, **changes):
        with monkeypatch.context() as patch, contextlib.suppress(KeyboardInterrupt):
            patch.setattr(notification, "notify", lose)
            weekly.week(number, **changes)

    lost(9, worse=WORSE)
    lost(10, worse=WORSE)
    weekly.week(10, worse=WORSE)
    assert [message.splitlines()[0][-15:] for message in told] == ["20260309-030000"]
    assert "alarm: Full fine-tuning: ROC AUC" in told[0]
    weekly.week(10, worse=WORSE)
    weekly.week(11, worse=WORSE)
    assert len(told) == 1, "the run before has told it"
    lost(12)
    weekly.week(13)
    weekly.week(14)
    (message,) = told[1:]
    assert message.splitlines()[1:] == ["ended: Full fine-tuning: quality: no alarm any more"]


def test_a_run_that_is_recorded_anew_tells_what_has_changed(weekly, told):
    run = weekly.week(9, worse=WORSE)
    for path in weekly.folder.glob(f"{run.name}-*"):
        shutil.rmtree(path)
    again = weekly.week(9, worse=WORSE, slower=1.001)
    assert (again.id != run.id, rung(again), len(told)) == (True, [FULL_QUALITY], 1)


def test_an_alarm_that_is_to_be_confirmed_waits_for_the_next_run(weekly, told, capsys):
    first = weekly.week(9, worse=WORSE, gate=Gate("fail", confirm=True))
    verdict = weekly.verdict(first)
    assert (verdict.suspected, rung(first), told) == (True, [FULL_QUALITY], [])
    assert f"record: {names.SUSPICION}Full fine-tuning" in capsys.readouterr().out
    with pytest.raises(RegressionError):
        weekly.week(10, worse=WORSE, gate=Gate("fail", confirm=True))
    second = weekly.history.runs()[0]
    assert (weekly.verdict(second).suspected, rung(second), len(told)) == (False, [FULL_QUALITY], 1)
    with pytest.raises(RegressionError):
        weekly.week(11, worse=WORSE, gate=Gate("fail", confirm=True))
    assert len(told) == 1, "it is the alarm of the week before"


def test_a_suspicion_that_is_not_confirmed_is_no_alarm(weekly, told):
    weekly.week(9, worse=WORSE, gate=Gate(confirm=True))
    second = weekly.week(10, gate=Gate(confirm=True))
    assert (rung(second), told) == ([], [])
    assert "Full fine-tuning: quality: the suspicion of the run before is not confirmed" in weekly.verdict(second).notes
    third = weekly.week(11, worse=WORSE, gate=Gate(confirm=True))
    assert weekly.verdict(third).suspected, "the run before had none"


def test_a_suspicion_of_costs_is_confirmed_by_a_run_above_what_is_expected(weekly, told):
    """The sum of the chart begins anew after an alarm, and could not ring at once again."""
    number = 9
    while FULL_TIME not in rung(weekly.week(number, slower=1.5, gate=Gate(confirm=True))):
        number += 1
    assert told == []
    run = weekly.week(number + 1, slower=1.5, gate=Gate(confirm=True))
    assert (rung(run), weekly.verdict(run).suspected, len(told)) == ([FULL_TIME], False, 1)


def test_slower_training_rings_until_a_person_accepts_it(weekly, told):
    number = 9
    while FULL_TIME not in rung(run := weekly.week(number, slower=1.5)):
        number += 1
        assert number < 14, "it rings within five runs"
    (alarm,) = weekly.verdict(run).alarms
    assert "more training time than expected" in alarm.reason
    assert "; it has been higher since 2026" in alarm.reason
    lasting = weekly.week(number + 1, slower=1.5)
    assert rung(lasting) == [FULL_TIME]
    assert len(told) == 1
    weekly.history.promote(lasting, by_hand=True)
    assert [rung(weekly.week(number + more, slower=1.5)) for more in (2, 3, 4)] == [[], [], []]
    assert len(told) == 1


def test_times_on_other_hardware_or_with_another_recipe_are_another_series(weekly):
    run = weekly.week(9, slower=3.0, recipe=(("batch_size", 64),))
    verdict = weekly.verdict(run)
    assert verdict.cost["full_fine_tuning"]["time"]["runs"] == 0
    assert any("no run with this recipe was a champion yet" in note for note in verdict.notes)


def test_other_data_are_said_and_start_a_new_line(weekly, told):
    first = weekly.week(9, other_data=True)
    verdict = weekly.verdict(first)
    assert any("the data changed: 31 images more, 2 gone, 1058 kept since 20260105-030000" in n for n in verdict.notes)
    assert rung(first) == [("data", "")]
    assert "brightness" in verdict.alarms[0].reason
    assert verdict.promoted
    assert not verdict.quality
    second = weekly.week(10, other_data=True)
    assert (rung(second), weekly.verdict(second).champion) == ([], first.id)
    assert len(told) == 1, "that it is over is no news: the data stay as they are"
    assert weekly.champions() == [first.name, "20260105-030000"]


def test_data_are_compared_by_their_test_images_where_there_is_no_table_of_all(weekly, tmp_path):
    week = year.Week(9, started=year.FIRST + timedelta(weeks=8), other_data=True)
    folder = year.write_week(tmp_path / "run", week, REGIMES)
    (folder / "comparison" / image_table.FILE).unlink()
    verdict = weekly.verdict(weekly.again(folder, "week 9"))
    assert any("the test images changed: 31 images more, 2 gone, 298 kept" in note for note in verdict.notes)


def test_a_run_with_an_alarm_does_not_become_the_first_champion_in_the_registry(weekly):
    run, aliases = weekly.register(9, worse=WORSE)
    assert (rung(run), aliases) == ([FULL_QUALITY], {"challenger": 1})
    _, aliases = weekly.register(10)
    assert aliases == {"challenger": 2, "champion": 2}


def test_what_the_gate_could_not_judge_does_not_become_the_first_champion_in_the_registry(weekly, monkeypatch):
    monkeypatch.setattr(module, "judge", lambda *_: 1 / 0)
    assert weekly.register(9)[1] == {"challenger": 1}


def test_a_better_run_becomes_champion_here_and_in_the_registry(weekly):
    _, aliases = weekly.register(9)
    assert aliases == {"challenger": 1, "champion": 1}, "the first one under the name"
    _, aliases = weekly.register(10)
    assert aliases == {"challenger": 2, "champion": 1}, "it is not shown to be better"
    run, aliases = weekly.register(11, worse=-4.0)
    assert aliases == {"challenger": 3, "champion": 3}
    verdict = weekly.verdict(run)
    assert verdict.quality["full_fine_tuning"]["better"]
    assert verdict.promoted
    assert weekly.champions() == [run.name, "20260105-030000"]
    following, aliases = weekly.register(12)
    assert weekly.verdict(following).champion == run.id
    assert aliases == {"challenger": 4, "champion": 3}


def test_a_better_run_with_an_alarm_does_not_become_champion(weekly):
    """Full fine-tuning is better, but the training of it takes three times as long."""
    run, number = None, 9
    while run is None or FULL_TIME not in rung(run):
        run, number = weekly.week(number, slower=3.0), number + 1
    better = weekly.week(number, slower=3.0, worse=-4.0)
    verdict = weekly.verdict(better)
    assert verdict.quality["full_fine_tuning"]["better"]
    assert (rung(better), verdict.promoted) == ([FULL_TIME], False)
    assert weekly.champions() == ["20260105-030000"]


def test_what_the_gate_cannot_judge_is_recorded_nevertheless(weekly, monkeypatch, capsys):
    def broken(*_):
        raise ZeroDivisionError("no number")

    with monkeypatch.context() as patch:
        patch.setattr(module, "judge", broken)
        run = weekly.week(9, gate=Gate("fail"))
    assert names.ALARMS not in run.tags
    said = capsys.readouterr().out
    assert "the gate could not judge the run, which is recorded: ZeroDivisionError: no number\n" in said
    assert rung(weekly.week(9)) == [], "recorded again, it is judged"


def test_in_place_of_a_champion_that_lacks_files_the_run_is_champion(weekly):
    champion = weekly.history.runs()[-1]
    stored = Path(weekly.client.get_run(champion.id).info.artifact_uri.removeprefix("file://"))
    hidden = stored / "comparison" / "models.json"
    hidden.rename(hidden.with_suffix(".hidden"))
    try:
        verdict = weekly.verdict(weekly.week(9))
    finally:
        hidden.with_suffix(".hidden").rename(hidden)
    assert not verdict.quality
    assert verdict.warnings[0].startswith("quality cannot be compared with that of 20260105-030000")
    assert verdict.promoted, "there is no other champion"
    assert verdict.cost["custom_cnn"]["time"]["runs"] == QUIET


def test_a_training_from_a_cache_counts_once(weekly):
    run = weekly.week(9)
    folder = weekly.folder / "20260302-030000-"
    results = json.loads((folder / "comparison" / "results.json").read_text())
    results["run"]["finished"] = "2026-03-09T04:00:00Z"
    files.write_json(folder / "comparison" / "results.json", results)
    again = weekly.again(folder, "the same trainings in another run")
    assert weekly.verdict(run).cost["custom_cnn"]["time"]["runs"] == QUIET
    assert weekly.verdict(again).cost == {}


def test_schedules_with_other_recipes_have_champions_of_their_own(weekly):
    """The other recipe is no worse, so that its first run becomes champion of its line."""
    names_of = []
    for number in (9, 10):
        weekly.week(number)
        started = year.FIRST + timedelta(weeks=number, days=2)
        run = weekly.week(number, f"other {number}", started=started, recipe=(("dropout", 0.1),))
        names_of.append(weekly.verdict(run).champion_name)
    assert names_of == ["20260105-030000", "20260311-030000"]
    assert weekly.champions() == ["20260311-030000", "20260105-030000"]
    assert weekly.verdict(weekly.week(11)).champion_name == "20260105-030000"


def test_two_schedules_at_once_lose_nothing_and_count_nothing_twice(weekly, tmp_path):
    """Two processes record runs of their own line into one history at the same time."""
    folders = []
    for number in (9, 10):
        week = year.Week(number, started=year.FIRST + timedelta(weeks=number - 1))
        folders.append((year.write_week(tmp_path / f"a{number}", week, REGIMES), f"a{number}"))
        other = replace(week, other_data=True, started=week.started + timedelta(seconds=1))
        folders.append((year.write_week(tmp_path / f"b{number}", other, REGIMES), f"b{number}"))
    for both in (folders[:2], folders[2:]):
        code = (
            "import sys; from components.record.record import record; from components.record.content import Origin; "
            "record(sys.argv[1], sys.argv[2], Origin(sys.argv[3]))"
        )
        processes = [
            subprocess.Popen([sys.executable, "-c", code, folder / "comparison", weekly.uri, name], cwd=PROJECT)
            for folder, name in both
        ]
        assert [process.wait(300) for process in processes] == [0, 0]
    runs = weekly.history.runs()
    assert len(runs) == len({run.key for run in runs}) == QUIET + 4
    assert all(names.ALARMS in run.tags for run in runs)
    newest_b, newest_a, first_b, _ = runs[:4]
    assert weekly.verdict(newest_a).champion_name == "20260105-030000"
    assert weekly.verdict(newest_b).champion == first_b.id
    assert weekly.verdict(newest_a).cost["custom_cnn"]["time"]["runs"] == QUIET + 2, "costs do not depend on the data"


@pytest.mark.parametrize("number", [0.5, 0, -1, 100_000, float("nan")])
def test_a_number_of_runs_that_cannot_be_is_refused(number):
    with pytest.raises(UserError, match=r"--runs-per-year .* is not understood"):
        Gate(runs_per_year=number)


def test_of_a_year_of_runs_the_changes_are_found_and_nothing_else(tmp_path):
    """Quality and time change in week 30, the data later."""
    history = Recorded(year.year(tmp_path, "all", regimes=REGIMES)).history
    weeks = {number: rung(run) for number, run in enumerate(reversed(history.runs()), start=1)}
    assert len(weeks) == year.WEEKS
    of = {
        pair: {number for number, pairs in weeks.items() if pair in pairs} for pairs in weeks.values() for pair in pairs
    }
    assert of.keys() == {FULL_QUALITY, FULL_TIME, ("data", "")}
    assert of["data", ""] == {year.OTHER_DATA}
    for pair, end in ((FULL_QUALITY, year.OTHER_DATA), (FULL_TIME, year.WEEKS + 1)):
        first = min(of[pair])
        assert year.CHANGED <= first < year.CHANGED + 5
        assert of[pair] == set(range(first, end)), "it rings until it is accepted, or nothing can be compared"
