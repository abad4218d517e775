"""Simulated chest radiographs in the layout of Kaggle's data set, for tests, demonstrations and speed measurements.

A fresh clone can run the whole pipeline on them without a download or a licence. Everything but the disease (film,
exposure, pose, file format) is drawn from generators that do not know the class, so that no shortcut gives it away.
"""

import itertools
import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from components import machine, process
from components.artifacts.names import CLASSES
from components.console import UserError
from components.ingest.anatomy import draw_anatomy, draw_disease
from components.ingest.projection import Pose, View, render_chest

MIN_IMAGES = 40
"""Fewer cannot give every split both classes and several patients."""
MIN_SIZE, MAX_SIZE = 32, 4096
"""Shorter side, px."""
RENDER_MIN, RENDER_MAX = 96, 1024
"""Shorter side, px, at which chests are rendered: below it ribs alias, above it there is no more detail to gain."""
PNEUMONIA_SHARE = 13, 23
"""Pneumonia images among all, a ratio of 1.3 to 1."""
TRAIN_SHARE = 0.8
VAL_IMAGES = 8
"""Images a class in `val`, as in Kaggle's data set."""
MAX_FILMS = 4
"""Most images of one patient."""

# Streams of random numbers: default_rng([seed, STREAM, number]).
SERIES, PATIENT, DISEASE, FILM, PROGRESS, SPLIT = range(6)


@dataclass(frozen=True)
class Film:
    """One image to make.

    Attributes:
        number: of the image, counted over both classes.
        label: index in `CLASSES`.
        patient: counted over both classes, from 1.
        name: file name.
        kind: "bacteria", "virus", or "" for a normal film.
    """

    number: int
    label: int
    patient: int
    name: str
    kind: str


def write_radiographs(
    folder: Path,
    images: int,
    size: int,
    seed: int,
    difficulty: float = 0.5,
    processes: int | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> None:
    """Writes simulated radiographs as `{train,val,test}/{NORMAL,PNEUMONIA}/*.jpeg`, named as in Kaggle's data set.

    Equal arguments give equal bytes, whatever the number of processes; a larger `images` adds images and changes none
    (though some may move to another split).

    Args:
        folder: receives the splits' folders.
        images: how many in all, from 40; 13 of 23 show pneumonia, about 80% are for training, 16 are in `val`.
        size: nominal length of the shorter side, 32 to 4096 px.
        seed: 0 or more.
        difficulty: 0 (plain disease, uniform healthy patients) to 1 (faint disease, varied healthy patients). At 0.5
            a logistic regression on 24 px thumbnails reaches a ROC AUC of about 0.83, a small CNN at 96 px trained on
            1,000 images about 0.96.
        processes: worker processes; None for one a CPU. With more than one, a script that calls this must guard its
            own start with `if __name__ == "__main__"`, as the workers import it again.
        on_progress: called with (images written, images in all) from time to time.

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
    # "spawn" behaves alike on every system, and is safe where the caller has threads.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context, initializer=process.prepare) as pool:
        yield from pool.map(_write_patient, jobs, chunksize=8)


def plan(images: int, seed: int) -> list[Film]:
    """Decides class, patient and name of every image; the plan for fewer images is its beginning.

    Args:
        images: how many.
        seed: of the data set.

    Returns:
        The films in order of their number.
    """
    films: list[Film] = []
    patients = 0
    current: dict[int, tuple[int, int, Iterator[int]]] = {}
    for number in range(images):
        label = _label(number)
        place = next(current[label][2], None) if label in current else None
        if place is None:
            patients += 1
            current[label] = _series(seed, patients)
            place = next(current[label][2])
        films.append(_film(number, label, current[label][0], place, current[label][1]))
    return films


def _label(number: int) -> int:
    part, whole = PNEUMONIA_SHARE
    return (number + 1) * part // whole - number * part // whole


def _series(seed: int, patient: int) -> tuple[int, int, Iterator[int]]:
    """A patient: number, a die to choose names with, and the numbers of their films."""
    rng = np.random.default_rng([seed, SERIES, patient])
    count = int(rng.choice(np.arange(1, MAX_FILMS + 1), p=[0.45, 0.3, 0.15, 0.1]))
    return patient, int(rng.integers(100)), iter(range(1, count + 1))


def _film(number: int, label: int, patient: int, place: int, die: int) -> Film:
    if label:
        kind = "bacteria" if die < 60 else "virus"  # about Kaggle's proportion
        return Film(number, label, patient, f"person{patient}_{kind}_{number + 1}.jpeg", kind)
    prefix = "NORMAL2-" if die < 50 else ""
    return Film(number, label, patient, f"{prefix}IM-{patient:04d}-{place:04d}.jpeg", "")


def assign_splits(films: list[Film], seed: int) -> dict[int, str]:
    """Gives each patient to one split.

    Args:
        films: of a plan.
        seed: of the data set.

    Returns:
        "train", "val" or "test" for every patient's number.
    """
    split_of = {film.patient: "train" for film in films}
    for label in range(len(CLASSES)):
        counts: dict[int, int] = {}
        for film in films:
            if film.label == label:
                counts[film.patient] = counts.get(film.patient, 0) + 1
        total = sum(counts.values())
        order = np.random.default_rng([seed, SPLIT, label]).permutation(list(counts)).tolist()
        val = min(VAL_IMAGES, max(1, total // 20))
        test = max(1, total - round(TRAIN_SHARE * total) - val)
        for split, wanted in (("val", val), ("test", test)):
            chosen = _choose(order, counts, wanted)
            order = [patient for patient in order if patient not in chosen]
            split_of.update(dict.fromkeys(chosen, split))
    return split_of


def _choose(order: list[int], counts: dict[int, int], wanted: int) -> set[int]:
    """Patients, in turn, whose images still fit into `wanted`; at least one patient."""
    chosen: set[int] = set()
    for patient in order:
        if counts[patient] <= wanted:
            chosen.add(patient)
            wanted -= counts[patient]
    return chosen or {min(order, key=lambda patient: counts[patient])}


def _by_patient(films: list[Film]) -> list[list[Film]]:
    groups: dict[int, list[Film]] = {}
    for film in films:
        groups.setdefault(film.patient, []).append(film)
    return list(groups.values())


def _write_patient(job: tuple[list[Film], Path, int, int, float]) -> int:
    """Renders and writes the films of one patient; the unit of work of a process."""
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
        _finish(rng, picture, size).save(path, "JPEG", quality=int(rng.integers(72, 96)))
    return len(films)


def draw_view(rng: np.random.Generator, size: int, lung_height: float) -> View:
    """Draws the film's size and how it lies over the chest.

    Args:
        rng: must not know the class.
        size: nominal shorter side, px.
        lung_height: of the patient, units.
    """
    side = round(min(max(size, RENDER_MIN), RENDER_MAX) * rng.uniform(0.9, 1.12))
    aspect = rng.uniform(1.0, 1.5)
    width, height = (round(side * aspect), side)
    scale = min(width / 2.3, height / (lung_height + 0.55)) * rng.uniform(0.93, 1.1)
    centre = rng.normal(0, 0.06), lung_height / 2 + rng.normal(0.0, 0.07)
    return View(width, height, scale, np.radians(rng.normal(0, 3.5)), centre)


def draw_pose(rng: np.random.Generator, difficulty: float) -> Pose:
    """Draws how the patient stands and breathes; the harder, the worse.

    Args:
        rng: must not know the class.
        difficulty: 0 to 1.
    """
    return Pose(
        turn=float(np.clip(rng.normal(0, 0.3 + 0.5 * difficulty), -1, 1)),
        inspiration=rng.uniform(0.6 - 0.6 * difficulty, 1),
        arms=rng.uniform(0, 1),
        aeration=1 - rng.uniform(0, 0.08 + 0.3 * difficulty),
    )


def expose(rng: np.random.Generator, attenuation: np.ndarray, difficulty: float) -> np.ndarray:
    """Turns attenuation into the brightness of a developed film.

    Scatter, then a logistic film curve whose offset an automatic exposure control sets, so that the mean brightness
    depends on a drawn target instead of the patient; then quantum noise.

    Args:
        rng: must not know the class.
        attenuation: float32 (height, width).
        difficulty: 0 to 1; more noise.

    Returns:
        float32 (height, width), 0 (black) to 1.
    """
    photons = np.exp(-attenuation)
    scattered = photons + rng.uniform(0.1, 0.35) * _blurred(photons)
    dense = -np.log(scattered)
    contrast, target = rng.uniform(1.4, 2.5), rng.uniform(0.38, 0.58)
    offset = np.float32(-contrast * dense.mean())
    # Every fourth pixel tells the mean well enough.
    sample = contrast * dense[::2, ::2]
    for _ in range(4):
        bright = _film_curve(sample + offset)
        offset += (target - bright.mean()) / np.mean(bright * (1 - bright))
    picture = _film_curve(contrast * dense + offset)
    noise = rng.uniform(0.008, 0.018 + 0.02 * difficulty)
    picture += noise * rng.standard_normal(picture.shape, dtype=np.float32)
    return picture


def _film_curve(log_exposure: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-log_exposure))


def _blurred(picture: np.ndarray) -> np.ndarray:
    """The picture as scatter spreads it: over about a quarter of its width."""
    height, width = picture.shape
    coarse = Image.fromarray(picture).resize((12, 12), Image.Resampling.BOX)
    kernel = Image.Resampling.BICUBIC
    return np.asarray(coarse.resize((4, 4), Image.Resampling.BOX).resize((width, height), kernel))


def _finish(rng: np.random.Generator, picture: np.ndarray, size: int) -> Image.Image:
    """What happens to the film last: vignette, collimator, marker, and the size and mode of the file."""
    height, width = picture.shape
    picture = picture * _vignette(rng, height, width)
    _collimate(rng, picture)
    film = Image.fromarray((np.clip(picture, 0, 1) * 255).astype(np.uint8))
    _mark(rng, film)
    rendered = min(max(size, RENDER_MIN), RENDER_MAX)
    if rendered != size:
        film = film.resize((round(width * size / rendered), round(height * size / rendered)), Image.Resampling.BICUBIC)
    return film.convert("RGB") if rng.random() < 0.1 else film


def _vignette(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    across = np.linspace(-1, 1, width, dtype=np.float32) - np.float32(rng.uniform(-0.3, 0.3))
    down = np.linspace(-1, 1, height, dtype=np.float32)[:, None] - np.float32(rng.uniform(-0.3, 0.3))
    return 1 - np.float32(rng.uniform(0, 0.1)) * (across * across + down * down)


def _collimate(rng: np.random.Generator, picture: np.ndarray) -> None:
    """Blackens a strip along some edges, where the collimator shut the beam out."""
    height, width = picture.shape
    strips = (rng.uniform(0.005, 0.05, 4) * (rng.random(4) < 0.15) * min(height, width)).astype(int)
    top, bottom, left, right = strips.tolist()
    for edge in (np.s_[:top], np.s_[height - bottom :], np.s_[:, :left], np.s_[:, width - right :]):
        picture[edge] = 0.02


def _mark(rng: np.random.Generator, film: Image.Image) -> None:
    """Puts the letter of the patient's right side, and sometimes the projection, into a corner."""
    text = rng.choice(["", "R", "R", "A-P\nR", "R\nPED", "L"])
    x, y = rng.uniform(0.01, 0.08) * film.width, rng.uniform(0.02, 0.4) * film.height
    points = max(6, round(rng.uniform(0.04, 0.07) * film.height))
    grey = int(rng.integers(200, 256))
    if text:
        x = film.width - x - 0.7 * points if text == "L" else x
        ImageDraw.Draw(film).text((x, y), str(text), fill=grey, font=_font(points))


# A font takes longer to load than a small film to render.
@lru_cache(maxsize=64)
def _font(points: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(points)
