"""The plan of a simulated dataset: class, patient, name and split of every image."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from components.artifacts.names import CLASSES

PNEUMONIA_SHARE = 13, 23
"""Pneumonia images of all images, a ratio of 1.3 to 1."""
TRAIN_SHARE = 0.8
VAL_IMAGES = 8
"""Images per class in `val`, as in Kaggle's dataset."""
MAX_FILMS = 4
"""Largest number of images per patient."""

# Streams of random numbers: default_rng([seed, STREAM, number]).
SERIES, PATIENT, DISEASE, FILM, PROGRESS, SPLIT = range(6)


@dataclass(frozen=True)
class Film:
    """One image to simulate.

    Attributes:
        number: number of the image, counted over both classes.
        label: index in `CLASSES`.
        patient: number of the patient, counted over both classes from 1.
        name: file name.
        kind: "bacteria", "virus", or "" for a normal film.
    """

    number: int
    label: int
    patient: int
    name: str
    kind: str


def plan(images: int, seed: int) -> list[Film]:
    """Determines class, patient and name of every image; the plan for fewer images is its beginning.

    Args:
        images: number of images.
        seed: of the dataset.

    Returns:
        The films in the order of their numbers.
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
    """A patient: number, a random number for names, and the numbers of their films."""
    rng = np.random.default_rng([seed, SERIES, patient])
    count = int(rng.choice(np.arange(1, MAX_FILMS + 1), p=[0.45, 0.3, 0.15, 0.1]))
    return patient, int(rng.integers(100)), iter(range(1, count + 1))


def _film(number: int, label: int, patient: int, place: int, die: int) -> Film:
    if label:
        kind = "bacteria" if die < 60 else "virus"  # approximately as in Kaggle's dataset
        return Film(number, label, patient, f"person{patient}_{kind}_{number + 1}.jpeg", kind)
    prefix = "NORMAL2-" if die < 50 else ""
    return Film(number, label, patient, f"{prefix}IM-{patient:04d}-{place:04d}.jpeg", "")


def assign_splits(films: list[Film], seed: int) -> dict[int, str]:
    """Assigns each patient to one split.

    Args:
        films: of a plan.
        seed: of the dataset.

    Returns:
        "train", "val" or "test" by number of the patient.
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
    """Patients, in order, whose images still fit into `wanted`; at least one patient."""
    chosen: set[int] = set()
    for patient in order:
        if counts[patient] <= wanted:
            chosen.add(patient)
            wanted -= counts[patient]
    return chosen or {min(order, key=lambda patient: counts[patient])}
