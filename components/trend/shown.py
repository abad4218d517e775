"""Recorded runs as the page shows them: what the history has of each."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime

from components.artifacts.names import REGIME_TITLES, REGIMES, SPLITS
from components.gate.earlier import costs_of, when
from components.gate.verdict import DATA, MEMORY, QUALITY, TIME, Alarm, Verdict
from components.tracking import names
from components.tracking.history import History, RecordedModel, RecordedRun

AT_ONCE = 8
"""Verdicts that are read at the same time: from a server, each takes a request or two."""

TITLES = {QUALITY: "ROC AUC", TIME: "training time", MEMORY: "peak memory", DATA: "data"}
"""What is watched, in words."""


@dataclass(frozen=True)
class Shown:
    """A recorded run with what the page needs of it.

    Attributes:
        run: the run.
        verdict: of the gate; None for a run that was recorded without one.
        costs: {regime: {`TIME` (seconds per training image and epoch) or `MEMORY` (MB): value}}.
        recipes, hardware: of each regime, what runs have in common that may be compared.
    """

    run: RecordedRun
    verdict: Verdict | None = None
    costs: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    recipes: Mapping[str, str] = field(default_factory=dict)
    hardware: Mapping[str, str] = field(default_factory=dict)

    @property
    def alarms(self) -> tuple[Alarm, ...]:
        """Of the verdict."""
        return self.verdict.alarms if self.verdict else ()

    @property
    def suspected(self) -> bool:
        """Whether its alarms wait for a confirming run."""
        return self.verdict is not None and self.verdict.suspected

    @property
    def accepted(self) -> bool:
        """Whether a person promoted it, and so accepted its alarms."""
        return names.ACCEPTED in self.run.tags

    @property
    def date(self) -> str:
        """On which the run began, such as 2026-01-05; what the history has where that is no time."""
        return self.run.started[:10]

    @property
    def day(self) -> str:
        """The same as a reader writes it, such as 5 Jan 2026."""
        try:
            moment = datetime.fromisoformat(self.date)
        except ValueError:
            return self.date
        return f"{moment.day} {moment:%b %Y}"

    def count(self, what: str) -> int | None:
        """The number of "images" or of images with "pneumonia" in all splits; None where it was not recorded."""
        found = [self.run.parameters.get(f"{split}_{what}", "") for split in SPLITS]
        return sum(map(int, found)) if all(number.isdecimal() for number in found) else None

    @property
    def share(self) -> float | None:
        """The share of images with pneumonia in percent; None where it was not recorded."""
        images, pneumonia = self.count("images"), self.count("pneumonia")
        return 100 * pneumonia / images if images and pneumonia is not None else None

    def expected(self, chart: str, regime: str) -> float | None:
        """The level of a cost that was expected of this run; None where it had nothing to be expected from."""
        figures = self.verdict.cost.get(regime, {}).get(chart, {}) if self.verdict else {}
        level = figures.get("expected")
        return float(level) if isinstance(level, int | float) else None


def of(history: History) -> list[Shown]:
    """All runs of a history, the oldest first.

    Raises:
        UserError: the history cannot be read.
    """
    models, runs = history.all_models(), sorted(history.runs(), key=when)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        verdicts = list(pool.map(lambda run: _verdict(history, run), runs))
    return [_shown(run, verdict, models.get(run.id, [])) for run, verdict in zip(runs, verdicts, strict=True)]


def _shown(run: RecordedRun, verdict: Verdict | None, models: Sequence[RecordedModel]) -> Shown:
    trained: dict[str, list[RecordedModel]] = {}
    for model in models:
        if model.regime in REGIMES:
            trained.setdefault(model.regime, []).append(model)
    # Where the seeds of a regime were trained on several machines, those of the first one count, as for the gate.
    measured = {name: [one for one in own if one.hardware == own[0].hardware] for name, own in trained.items()}
    return Shown(
        run,
        verdict,
        costs={name: costs_of(own) for name, own in measured.items()},
        recipes={name: own[0].recipe for name, own in trained.items()},
        hardware={name: own[0].hardware for name, own in trained.items()},
    )


def _verdict(history: History, run: RecordedRun) -> Verdict | None:
    """None also for one that this version does not understand."""
    text = history.verdict(run)
    try:
        return Verdict.from_json(text) if text else None
    except (ValueError, TypeError):
        return None


def title_of(chart: str, regime: str) -> str:
    """What an alarm is about, for example "training time of Full fine-tuning"."""
    return TITLES.get(chart, chart) + (f" of {REGIME_TITLES.get(regime, regime)}" if regime else "")


def regimes_of(runs: Sequence[Shown]) -> list[str]:
    """The regimes that any of the runs has, or tried to train."""
    return [name for name in REGIMES if any(name in shown.run.metrics or name in shown.run.failed for shown in runs)]
