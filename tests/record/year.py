"""A year of weekly runs out of random numbers: comparisons by compare itself, recorded by record itself.

For the tests of the gate and of the trend page. As a command: python -m tests.record.year FOLDER [CHANGE].
"""

import functools
import json
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from components.artifacts import evaluation, files, image_table
from components.artifacts.names import FLOOR, REGIMES
from components.compare.compare import compare
from components.compare.report import plots
from components.compare.stats import resampling
from components.record.content import Origin
from components.record.record import record
from components.tracking import places
from tests.compare import conftest
from tests.compare.conftest import REGIME_FACTS, make_index, write_evaluation, write_summary

WEEKS, CHANGED = 52, 30
"""Number of runs, and the one (counted from 1) from which on a change is there."""

FIRST = datetime(2026, 1, 5, 3, 0, 0, tzinfo=UTC)
"""A Monday at three."""

OTHER_DATA = 42
"""The first run on other data where everything changes: then quality has nothing to be compared with."""

ADDED, GONE = 31, 2
"""Images of the test split that later data have more, and that are not among them any more."""

TIME_NOISE = 0.03
"""Standard deviation of the logarithms of training times."""


@dataclass(frozen=True)
class Week:
    """What a run is like.

    Attributes:
        number: counted from 1.
        worse: by how many standard deviations full fine-tuning separates the classes less.
        slower: by which factor full fine-tuning takes longer.
        other_data: whether some images are gone, and brighter ones are there.
        started: when the run began.
        recipe: entries that replace those of every recipe.
    """

    number: int
    worse: float = 0.0
    slower: float = 1.0
    other_data: bool = False
    started: datetime = FIRST
    recipe: tuple[tuple[str, float], ...] = ()

    @property
    def name(self) -> str:
        """Of the run, after its time."""
        return self.started.strftime("%Y%m%d-%H%M%S")


CHANGES: dict[str, Callable[[Week], Week]] = {
    "": lambda week: week,
    "quality": lambda week: replace(week, worse=1.6),
    "time": lambda week: replace(week, slower=1.3),
    "data": lambda week: replace(week, other_data=True),
    "all": lambda week: replace(week, worse=1.6, slower=1.3, other_data=week.number >= OTHER_DATA),
}
"""What changes in week 30; with "all" quality and time do then, and the data later."""


def weeks(change: str = "", count: int = WEEKS) -> list[Week]:
    """The runs of a year.

    Args:
        change: one of `CHANGES`.
        count: number of runs.
    """
    plain = [Week(number, started=FIRST + timedelta(weeks=number - 1)) for number in range(1, count + 1)]
    return [CHANGES[change](week) if week.number >= CHANGED else week for week in plain]


def year(folder: str | Path, change: str = "", count: int = WEEKS, regimes: Sequence[str] = REGIMES, **options) -> str:
    """Records a run for each week into `folder/mlflow.db`, which takes about a second and a half for each.

    Args:
        folder: gets the history.
        change: one of `CHANGES`, from week 30 on.
        count: number of runs.
        regimes: that the runs train.
        options: further arguments of `record`.

    Returns:
        The address of the history.
    """
    uri = places.sqlite(Path(folder).absolute() / places.DEFAULT)
    for week in weeks(change, count):
        run = write_week(Path(folder) / week.name, week, regimes)
        record(run / "comparison", uri, Origin(f"week {week.number}"), **options)
        shutil.rmtree(run)
    return uri


def write_week(folder: Path, week: Week, regimes: Sequence[str] = REGIMES, seeds: Sequence[int] = (1, 2)) -> Path:
    """Writes the comparison of a run into `folder/comparison`; gives the folder."""
    steps, index = folder / "steps", _index(week)
    fingerprint = ("cd34" if week.other_data else "ab12") * 16
    with _cheap(week):
        evaluations = [
            _evaluation(steps / f"{regime}-{seed}", week, regime, seed, index, fingerprint)
            for regime in (*regimes, FLOOR)
            for seed in (seeds if regime != FLOOR else (0,))
        ]
        summary = write_summary(steps / "summary", source="synthetic", description="random numbers: no real patients")
        info = json.loads((summary / "dataset.json").read_text())
        counts = {"images": len(index), "patients": index["patient"].nunique(), "pneumonia": int(index["label"].sum())}
        splits = info["splits"] | {"test": counts}
        files.write_json(summary / "dataset.json", info | {"fingerprint": fingerprint, "splits": splits})
        compare(evaluations, summary, folder / "comparison", week.name)
    _set_times(folder / "comparison" / "results.json", week)
    image_rows(week).to_csv(folder / "comparison" / image_table.FILE, index=False)
    return folder


def image_rows(week: Week) -> pd.DataFrame:
    """The table of all images of a run."""
    parts = [_index(week).assign(split="test"), conftest.make_validation(), _train_index()]
    table = pd.concat(parts, ignore_index=True)
    random = np.random.default_rng(5)
    fixed = {name: random.normal(0.5, 0.08, 5000) for name in image_table.STATISTICS}
    place = _places(table["image"])
    for name in image_table.STATISTICS:
        table[name] = fixed[name][place] + 0.2 * (table["image"].str.contains("later") & (name == "brightness"))
    return table[list(image_table.COLUMNS)]


def _places(images: pd.Series) -> np.ndarray:
    """A number for each image, whatever others there are."""
    return images.map(_numbers()).to_numpy()


@functools.cache
def _numbers() -> dict[str, int]:
    plain, changed = Week(1), Week(1, other_data=True)
    parts = [_index(plain), conftest.make_validation(), _train_index(), _index(changed)]
    return {image: number for number, image in enumerate(pd.unique(pd.concat(parts)["image"]))}


@contextmanager
def _cheap(week: Week) -> Iterator[None]:
    """Comparisons without plots and with few replicates, at the time of the run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "versions", functools.cache(files.versions))
        patch.setattr(resampling, "REPLICATES", 20)
        patch.setattr(plots, "draw", lambda *_: {})
        patch.setattr(conftest, "STARTED", week.started)
        yield


def _train_index() -> pd.DataFrame:
    index = make_index(images=600, patients=400)
    names = index["image"].str.replace("test/", "train/")
    return index.assign(image=names, split="train", patient="t" + index["patient"])


def _index(week: Week) -> pd.DataFrame:
    """The test images; of changed data without those that are gone, and with later ones, of patients of their own."""
    index = make_index()
    if not week.other_data:
        return index
    later = index.iloc[:ADDED].assign(
        image=[f"test/later_{number}.jpeg" for number in range(ADDED)],
        patient=[f"later{number // 2}" for number in range(ADDED)],
        label=[int(number // 2 % 3 > 0) for number in range(ADDED)],
    )
    return pd.concat([index.iloc[GONE:], later], ignore_index=True)


def _evaluation(folder: Path, week: Week, regime: str, seed: int, index: pd.DataFrame, fingerprint: str) -> Path:
    facts, order = REGIME_FACTS[regime], list(REGIME_FACTS).index(regime)
    random = np.random.default_rng([week.number, order, seed])
    changed = regime == "full_fine_tuning"
    separation = facts.separation - (week.worse if changed else 0.0)
    # Hard images are hard for every model; what a model adds itself differs from run to run, as with a GPU.
    common = np.random.default_rng(7).normal(size=5000)[_places(index["image"])]
    logit = separation * (index["label"] - 0.5) + 0.9 * common + 0.45 * random.normal(size=len(index))
    seconds = facts.seconds * (week.slower if changed else 1.0) * np.exp(TIME_NOISE * random.normal())
    memory = facts.memory * np.exp(0.01 * random.normal())
    scores = (1 / (1 + np.exp(-1.6 * logit))).to_numpy(np.float32)
    write_evaluation(
        folder, regime, seed=seed, index=index, scores=scores, fingerprint=fingerprint, seconds=float(seconds)
    )
    content = json.loads((folder / "evaluation.json").read_text())
    content["metrics"] = {"validation": dict.fromkeys(evaluation.METRICS, 0.9), "test": {}}
    content["training"]["cost"]["peak_memory_mb"] = float(memory)
    content["training"]["recipe"] |= dict(week.recipe)
    files.write_json(folder / "evaluation.json", content)
    return folder


def _set_times(results: Path, week: Week) -> None:
    """The whole run took an hour."""
    content = json.loads(results.read_text())
    times = {"started": files.timestamp(week.started), "finished": files.timestamp(week.started + timedelta(hours=1))}
    files.write_json(results, content | {"run": content["run"] | times})


if __name__ == "__main__":
    print(year(*sys.argv[1:3]))
