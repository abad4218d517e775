"""Simulated chest radiographs in the layout of Kaggle's dataset, for tests, demonstrations and benchmarks.

The whole pipeline can run on them without a download or a licence. Everything except the disease (film, exposure, pose,
file format) is sampled from generators that do not depend on the class, so that there are no shortcuts.
"""

import itertools
import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

from components import machine, process
from components.artifacts.names import CLASSES
from components.console import UserError
from components.ingest.simulation.anatomy import draw_anatomy, draw_disease
from components.ingest.simulation.film import draw_pose, draw_view, expose, finish
from components.ingest.simulation.plan import DISEASE, FILM, PATIENT, PROGRESS, Film, assign_splits, plan
from components.ingest.simulation.projection import render_chest

MIN_IMAGES = 40
"""Smallest number with which every split has both classes and several patients."""
MIN_SIZE, MAX_SIZE = 32, 4096
"""Shorter side, px."""


def write_radiographs(
    folder: Path,
    images: int,
    size: int,
    seed: int,
    difficulty: float = 0.5,
    processes: int | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> None:
    """Writes simulated radiographs as `{train,val,test}/{NORMAL,PNEUMONIA}/*.jpeg`, named as in Kaggle's dataset.

    Equal arguments give equal bytes for any number of processes; a larger `images` adds images and changes none,
    although some may move to another split.

    Args:
        folder: receives the folders of the splits.
        images: total number, at least 40; 13 of 23 show pneumonia, about 80% are for training, 16 are in `val`.
        size: nominal length of the shorter side, 32 to 4096 px.
        seed: 0 or more.
        difficulty: 0 (plain disease, uniform healthy patients) to 1 (faint disease, varied healthy patients). At 0.5
            a logistic regression on 24 px thumbnails reaches a ROC AUC of about 0.83, a small CNN at 96 px trained on
            1,000 images about 0.96.
        processes: number of worker processes; None for one per CPU. With several, a calling script must have the guard
            `if __name__ == "__main__"`, as the workers import it again.
        on_progress: called with (images written, total number) from time to time.

    Raises:
        UserError: an argument is out of range.
    """
    _check(images, size, seed, difficulty)
    films = plan(images, seed)
    split_of = assign_splits(films, seed)
    folder = Path(folder)
    for split, name in itertools.product(("train", "val", "test"), CLASSES):
        (folder / split / name).mkdir(parents=True, exist_ok=True)
    jobs = [(group, folder / split_of[group[0].patient], size, seed, difficulty) for group in _by_patient(films)]
    done = 0
    for written in _run(jobs, processes or machine.cores()):
        done += written
        if on_progress:
            on_progress(done, images)


def _check(images: int, size: int, seed: int, difficulty: float) -> None:
    if images < MIN_IMAGES:
        raise UserError(f"{images} images are too few to fill every split: ask for at least {MIN_IMAGES}")
    if not MIN_SIZE <= size <= MAX_SIZE:
        raise UserError(f"an image size of {size} px cannot be simulated: choose {MIN_SIZE} to {MAX_SIZE}")
    if seed < 0:
        raise UserError(f"the seed {seed} is negative: choose 0 or more")
    if not 0 <= difficulty <= 1:
        raise UserError(f"a difficulty of {difficulty} has no meaning: choose a number from 0 (easy) to 1 (hard)")


def _run(jobs: list[tuple], processes: int) -> Iterator[int]:
    if processes == 1:
        yield from map(_write_patient, jobs)
        return
    # "spawn" behaves the same on all systems, and is safe if the caller has threads.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context, initializer=process.prepare) as pool:
        yield from pool.map(_write_patient, jobs, chunksize=8)


def _by_patient(films: list[Film]) -> list[list[Film]]:
    groups: dict[int, list[Film]] = {}
    for film in films:
        groups.setdefault(film.patient, []).append(film)
    return list(groups.values())


def _write_patient(job: tuple[list[Film], Path, int, int, float]) -> int:
    """Renders and writes the films of one patient, which is the unit of work of a process."""
    films, folder, size, seed, difficulty = job
    first = films[0]
    anatomy = draw_anatomy(np.random.default_rng([seed, PATIENT, first.patient]), difficulty)
    disease = None
    if first.kind:
        disease = draw_disease(np.random.default_rng([seed, DISEASE, first.patient]), first.kind, anatomy, difficulty)
    for film in films:
        rng = np.random.default_rng([seed, FILM, film.number])
        extent = np.random.default_rng([seed, PROGRESS, film.number]).uniform(0.85, 1.2)
        today = None if disease is None else np.clip(extent * disease, 0, 1)
        view = draw_view(rng, size, anatomy.height)
        chest = render_chest(anatomy, view, draw_pose(rng, difficulty), today)
        picture = expose(rng, chest.attenuation, difficulty)
        path = folder / CLASSES[film.label] / film.name
        finish(rng, picture, size).save(path, "JPEG", quality=int(rng.integers(72, 96)))
    return len(films)
