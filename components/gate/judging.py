"""What the gate finds about a run that was just recorded: from the history to a verdict."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from components.artifacts.compared_models import ComparedModels
from components.artifacts.names import REGIME_TITLES
from components.console import UserError
from components.gate import cost, drift, quality, tables
from components.gate.cost import Cost
from components.gate.earlier import Earlier, Pair, Rung, Series
from components.gate.quality import Quality
from components.gate.verdict import DATA, MEMORY, QUALITY, TIME, Alarm, Verdict
from components.retries import TransientError
from components.tracking import names
from components.tracking.history import History, RecordedRun

TITLES = {QUALITY: "quality", TIME: "training time", MEMORY: "memory", DATA: "data"}


@dataclass(frozen=True)
class Judged:
    """A verdict, and what people know of it.

    Attributes:
        verdict: what was found.
        told: the alarms that people were told of, and not that they are over.
        suspected: the alarms that wait for a confirming run; those of the verdict if all do, else beside them.
    """

    verdict: Verdict
    told: frozenset[Pair] = frozenset()
    suspected: frozenset[Pair] = frozenset()

    @property
    def new(self) -> tuple[Alarm, ...]:
        """The alarms that nobody was told of yet; those that are only suspected are not among them."""
        certain = () if self.verdict.suspected else self.verdict.alarms
        return tuple(alarm for alarm in certain if alarm.pair not in self.told)

    @property
    def ended(self) -> tuple[str, ...]:
        """Sentences about alarms that people were told of, and that are over; data stay as they are."""
        rings = {alarm.pair for alarm in self.verdict.alarms} | self.suspected
        return tuple(_ended(pair) for pair in sorted(self.told - rings) if pair[0] != DATA)

    @property
    def known(self) -> frozenset[Pair]:
        """What people were told of once they know the news."""
        return (self.told & self.suspected) | {alarm.pair for alarm in self.verdict.alarms} - self.suspected


@dataclass
class _Found:
    """What the parts of the gate found."""

    alarms: list[Alarm] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    quality: dict[str, Quality] = field(default_factory=dict)
    cost: dict[str, dict[str, Cost]] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)
    unreadable: bool = False
    """Whether there are champions, but none that can be read."""
    before: dict[Pair, Rung] = field(default_factory=dict)
    """The alarms of the run before each pair that was judged."""


def judge(
    history: History,
    run: RecordedRun,
    runs_per_year: float = names.RUNS_PER_YEAR,
    confirm: bool = False,
    runs: Sequence[RecordedRun] | None = None,
) -> Judged:
    """Judges a run by those before it.

    Args:
        history: the runs, this one among them.
        run: completely recorded.
        runs_per_year: that share the false alarms of a year.
        confirm: an alarm is only suspected until the next run has it too. Not of the data, which stay the same.
        runs: of the history, if they are known.

    Raises:
        UserError: the history cannot be read.
    """
    before, found = Earlier(history, run, runs), _Found()
    own = before.champions()
    champions = own or before.champions_of_other_recipes()
    champion = champions[0] if champions else None
    if champion is None:
        _judge_data(history, before, runs_per_year, found)
    else:
        champion = _judge_quality(history, before, champions, runs_per_year, found)
        if not own:
            found.notes.append(f"no run with this recipe was a champion yet; it is compared with {champion.name}")
    _judge_costs(before, found)
    promoted = not run.failed and _is_promoted(champion, bool(own), before, found)
    return _assembled(champion, promoted, confirm, found)


def _is_promoted(champion: RecordedRun | None, same_recipe: bool, before: Earlier, found: _Found) -> bool:
    """Whether the run becomes the champion of its line.

    The first one on its data does, whatever is found, and the first one after a champion that cannot be read; the first
    one with its recipe, or with a regime that the champion lacks, if nothing is found against it; another one, if
    moreover its best regime is shown to be better.
    """
    if champion is None or found.unreadable:
        return True
    if found.alarms or not found.quality:
        return False
    best = max(found.quality.values(), key=lambda one: one.challenger)
    return not same_recipe or best.better or bool(before.regimes() - found.quality.keys())


def _judge_quality(
    history: History, before: Earlier, champions: Sequence[RecordedRun], runs_per_year: float, found: _Found
) -> RecordedRun:
    """Compares the run with the first of the champions that can be read; gives that one, or the first of all."""
    try:
        challenger = history.compared(before.run)
    except UserError as error:
        _note_unless_temporary(error, f"quality cannot be compared with that of {champions[0].name}", found.notes)
        return champions[0]
    for champion in champions:
        try:
            compared = history.compared(champion)
        except UserError as error:
            what = f"quality cannot be compared with that of {champion.name}"
            _note_unless_temporary(error, what, found.warnings)
            continue
        _compare(before, champion, [compared, challenger], runs_per_year, found)
        return champion
    found.unreadable = True
    if not before.run.failed:
        found.warnings.append("no champion of these data can be read, so this run takes its place")
    return champions[0]


def _compare(
    before: Earlier, champion: RecordedRun, compared: Sequence[ComparedModels], runs_per_year: float, found: _Found
) -> None:
    tested = [tables.test_images(one) for one in compared]
    if not tables.same_images(*tested):
        found.notes.append(f"the test images are not those of {champion.name}, so quality is not compared with it")
        return
    labels, patients = (tested[1][name].to_numpy() for name in ("label", "patient"))
    old, new = (tables.scores(one, table) for one, table in zip(compared, tested, strict=True))
    found.quality = quality.judge(labels, patients.astype(str), old, new, before.areas(champion), runs_per_year)
    if unknown := sorted(before.regimes() - found.quality.keys()):
        titles = ", ".join(REGIME_TITLES[regime] for regime in unknown)
        found.notes.append(f"{champion.name} lacks {titles}, so quality is not compared there")
    for regime, one in found.quality.items():
        _add(regime, one, before, found)


def _add(regime: str, one: Quality, before: Earlier, found: _Found) -> None:
    rung, pair = before.rung_before(regime), (QUALITY, regime)
    found.before[pair] = rung
    if one.worse:
        found.alarms.append(Alarm(QUALITY, regime, quality.sentence(one)))
        if pair in rung.suspected and before.repeats(regime):
            found.before[pair] = Rung(told=rung.told)
            found.notes.append(
                f"{REGIME_TITLES[regime]}: the models are the same as in the run before, which confirms nothing: "
                "train with other seeds"
            )
    elif not one.noninferior:
        found.warnings.append(
            f"{REGIME_TITLES[regime]}: not shown to be less than {one.margin:g} below the champion in ROC AUC "
            f"({one.challenger:.3f}, the champion's {one.champion:.3f}); the power to show that without a change "
            f"is {one.power:.0%}"
        )


def _judge_costs(before: Earlier, found: _Found) -> None:
    every = before.series()
    for (chart, regime), series in every.items():
        rung, pair = series.rung_before(), (chart, regime)
        found.before[pair] = rung
        own = cost.replay(series.values, charts=len(every))
        found.cost.setdefault(regime, {})[chart] = own[-1]
        # After an alarm the sum begins anew, and does not ring at once again although the change lasts.
        if own[-1].alarm or (pair in rung.all and own[-1].raised):
            found.alarms.append(Alarm(chart, regime, _cost_sentence(chart, regime, own, series)))
        elif own[-1].faster:
            since = series.runs[own[-1].since or 0].name
            found.notes.append(f"{REGIME_TITLES[regime]}: less {TITLES[chart]} since {since}, by which later runs go")


def _cost_sentence(chart: str, regime: str, replayed: Sequence[Cost], series: Series) -> str:
    since: int | None = None
    for one in replayed:
        if one.alarm and since is None:
            since = one.since
        elif not one.alarm and one.statistic == 0:
            since = None
    return cost.sentence(chart, regime, replayed[-1], series.runs[since or 0].name)


def _judge_data(history: History, before: Earlier, runs_per_year: float, found: _Found) -> None:
    """Compares data that no earlier run had with those that they replace."""
    other = None if before.has_data() else before.with_other_data()
    if other is None:
        return
    try:
        compared = [history.compared(one) for one in (other, before.run)]
        (old, all_old), (new, all_new) = (
            tables.described_images(history, run, one) for run, one in zip((other, before.run), compared, strict=True)
        )
    except UserError as error:
        _note_unless_temporary(
            error, f"the data are not those of {other.name}, but cannot be compared with them", found.notes
        )
        return
    what = "data"
    if not (all_old and all_new):
        what, old, new = "test images", old[old["split"] == "test"], new[new["split"] == "test"]
    sizes = [one.record["dataset"]["image_size"] for one in compared]
    if sizes[0] != sizes[1]:
        found.notes.append(
            f"images are of {sizes[1]} px instead of {sizes[0]} px, so the data start a new line of runs"
        )
        return
    own = drift.judge(old, new, runs_per_year)
    found.data = asdict(own) | {"earlier": other.name}
    changed = f", {own.changed} of these with another label or other pixels," if own.changed else ""
    found.notes.append(
        f"the {what} changed: {own.added} images more, {own.gone} gone, {own.kept} kept{changed} since {other.name}; "
        "the run starts a new line of champions"
    )
    if own.alarm:
        found.alarms.append(Alarm(DATA, "", drift.sentence(own)))


def _note_unless_temporary(error: UserError, what: str, lines: list[str]) -> None:
    if isinstance(error, TransientError):
        raise error
    lines.append(f"{what}: {error}")


def _assembled(champion: RecordedRun | None, promoted: bool, confirm: bool, found: _Found) -> Judged:
    suspected: list[Alarm] = []
    certain: list[Alarm] = []
    for alarm in found.alarms:
        rang = alarm.pair in found.before.get(alarm.pair, Rung()).all
        (suspected if confirm and not rang and alarm.chart != DATA else certain).append(alarm)
    rings = {alarm.pair for alarm in found.alarms}
    over = {pair: rung for pair, rung in found.before.items() if pair in rung.all and pair not in rings}
    ended = [_ended(pair) for pair, rung in over.items() if pair not in rung.suspected]
    refuted = [
        _title(pair) + ": the suspicion of the run before is not confirmed"
        for pair, rung in over.items()
        if pair in rung.suspected
    ]
    waiting = [names.SUSPICION + alarm.reason for alarm in suspected] if certain else []
    verdict = Verdict(
        champion=champion.id if champion else "",
        champion_name=champion.name if champion else "",
        alarms=tuple(certain or suspected),
        warnings=(*found.warnings, *waiting),
        notes=(*found.notes, *ended, *refuted),
        suspected=bool(suspected) and not certain,
        promoted=promoted,
        quality={regime: _plain(asdict(one)) for regime, one in found.quality.items()},
        cost={regime: {chart: _plain(asdict(one)) for chart, one in own.items()} for regime, own in found.cost.items()},
        data=_plain(found.data),
    )
    told = frozenset(pair for pair, rung in found.before.items() if pair in rung.told)
    return Judged(verdict, told, frozenset(alarm.pair for alarm in suspected))


def _ended(pair: Pair) -> str:
    return f"{_title(pair)}: no alarm any more"


def _title(pair: Pair) -> str:
    return f"{REGIME_TITLES[pair[1]]}: {TITLES[pair[0]]}"


def _plain(value: Any) -> Any:
    """A value as JSON has it: numbers that are not finite are None."""
    if isinstance(value, Mapping):
        return {str(name): _plain(own) for name, own in value.items()}
    if isinstance(value, list | tuple):
        # A named tuple keeps its names.
        return _plain(value._asdict()) if hasattr(value, "_asdict") else [_plain(own) for own in value]
    if hasattr(value, "item"):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
