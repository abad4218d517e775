"""Divides the recorded runs into those that may follow each other, with the datasets and champions of each part."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from components.gate.earlier import image_size, source, when
from components.tracking import names
from components.tracking.history import RecordedRun, line
from components.trend.shown import Shown


@dataclass(frozen=True)
class Dataset:
    """The runs of a section on the same prepared data.

    Attributes:
        mark: its name on the page: A, B, …
        first, last: the oldest and the newest run.
        runs: how many.
        champions: of the data, one for each recipe that has one, the newest first.
    """

    mark: str
    first: Shown
    last: Shown
    runs: int
    champions: tuple[RecordedRun, ...]


@dataclass(frozen=True)
class Section:
    """Runs on data from the same source at the same size, as one schedule makes them.

    Attributes:
        title: the source and the size of the images.
        runs: the oldest first.
        datasets: {fingerprint: dataset}, in the order of their first runs.
        champions: for each run the one that it was compared with, or that was champion then; None without one.
    """

    title: str
    runs: tuple[Shown, ...]
    datasets: Mapping[str, Dataset]
    champions: tuple[RecordedRun | None, ...]


def sections(runs: Sequence[Shown]) -> list[Section]:
    """The sections, the one with the newest run first.

    Args:
        runs: all recorded runs, in any order.
    """
    ordered = sorted(runs, key=lambda shown: when(shown.run))
    parts: dict[tuple[str, ...], list[Shown]] = {}
    for shown in ordered:
        parts.setdefault(_source(shown.run), []).append(shown)
    newest_first = sorted(parts.values(), key=lambda part: when(part[-1].run), reverse=True)
    return [_section(part) for part in newest_first]


def _source(run: RecordedRun) -> tuple[str, ...]:
    """What the data of one schedule have in common. The description of a source may hold a version or a number."""
    return *source(run), image_size(run)


def _section(runs: Sequence[Shown]) -> Section:
    newest = runs[-1].run
    size = newest.parameters.get("image_size", "")
    title = newest.tags.get(names.SOURCE) or "unknown source"
    return Section(
        title=f"{title[0].upper()}{title[1:]}" + (f" · {size} px" if size else ""),
        runs=tuple(runs),
        datasets=_datasets(runs),
        champions=tuple(_champions(runs)),
    )


def _datasets(runs: Sequence[Shown]) -> dict[str, Dataset]:
    own: dict[str, list[Shown]] = {}
    for shown in runs:
        own.setdefault(shown.run.fingerprint, []).append(shown)
    return {
        fingerprint: Dataset(letters(number), of_it[0], of_it[-1], len(of_it), _present_champions(of_it))
        for number, (fingerprint, of_it) in enumerate(own.items())
    }


def _present_champions(runs: Sequence[Shown]) -> tuple[RecordedRun, ...]:
    promoted = sorted((shown.run for shown in runs if shown.run.promoted), key=lambda run: (run.promoted, run.id))
    return tuple({line(run): run for run in promoted}.values())[::-1]


def _champions(runs: Sequence[Shown]) -> list[RecordedRun | None]:
    """For each run the champion that its verdict names; without a verdict, the last one before that was promoted."""
    known = {shown.run.id: shown.run for shown in runs}
    present: dict[str, RecordedRun] = {}
    found: list[RecordedRun | None] = []
    for shown in runs:
        run, verdict = shown.run, shown.verdict
        if verdict is None:
            champion = present.get(run.fingerprint, run if run.promoted else None)
        else:
            champion = known.get(verdict.champion, run if verdict.promoted else None)
        # Scores on other data cannot be compared.
        found.append(champion if champion and champion.fingerprint == run.fingerprint else None)
        if run.promoted:
            present[run.fingerprint] = run
    return found


def letters(number: int) -> str:
    """The name of the dataset of this number, from 0: A, B, …, Z, AA, AB, and so on."""
    text = ""
    number += 1
    while number:
        number, rest = divmod(number - 1, 26)
        text = chr(ord("A") + rest) + text
    return text
