"""How well copies of radiographs are told from other radiographs: python -m benchmarks.copies."""

import argparse
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks import measure
from components import console, process
from components.console import UserError
from components.imaging.decoding import decode
from components.ingest.layout import Found, find_images
from components.ingest.patients import patient_of
from components.preprocess import copies

QUALITIES = (30, 50, 75, 95)
SCALES = (0.43, 0.5, 0.75, 1.5)
COARSE = (4, 8, 12)
"""Largest numbers of differing bits, of 64, in the hashes of similar pairs."""


def main(words: Sequence[str] | None = None) -> None:
    """Reads the command line, measures, prints."""
    process.prepare()
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.copies",
        description="Copies real images in many ways and counts how many copies are found; compares the pairs of "
        "different images that look most similar and counts how many are mistaken for copies.",
        epilog="example: python -m benchmarks.copies --path ~/chest_xray --images 400",
    )
    parser.add_argument("--path", type=Path, required=True, help="folder with the images")
    parser.add_argument("--images", type=int, default=400, help="how many to copy; default: %(default)s")
    parser.add_argument("--image-size", type=int, default=96, help="height and width in px; default: %(default)s")
    parser.add_argument("--json", type=Path, help="file for the results")
    arguments = parser.parse_args(words)
    with console.plain_errors():
        if not arguments.path.is_dir():
            raise UserError(f"there is no folder {arguments.path}: check --path")
        if arguments.images < 1:
            raise UserError(f"--images is {arguments.images}: give 1 or more")
        found = find_images(arguments.path)
        some = found[:: max(1, len(found) // arguments.images)][: arguments.images]
        result = {
            "benchmark": "copies",
            "image_size": arguments.image_size,
            "copies": copied(some, arguments.image_size),
            "near_pairs": near(found, arguments.image_size),
        }
        if arguments.json:
            measure.write_json(arguments.json, result)
    rows = [[row["copied"], f"{row['found']} of {row['images']}", f"{row['least']:.3f}"] for row in result["copies"]]
    print("\n" + measure.table(["copied as", "found", "lowest correlation of details"], rows) + "\n")
    rows = [
        [
            f"at most {row['bits']} of 64 bits",
            *(f"{row[name]:,}" for name in ("pairs", "patients", "wrong")),
            f"{row['most']:.3f}",
        ]
        for row in result["near_pairs"]
    ]
    header = ["hashes differ in", "pairs", "of other patients", "of these mistaken for copies", "highest correlation"]
    print(measure.table(header, rows))


def copied(some: list[Found], size: int) -> list[dict[str, Any]]:
    """Copies each image in several ways and compares each copy with its original, as preprocess does.

    Args:
        some: images.
        size: height and width of prepared images in px.

    Returns:
        One entry per way: `copied` (a description), `images`, `found`, `least` (the lowest correlation of details).
    """
    outcomes: dict[str, list[tuple[bool, float]]] = {}
    progress = console.Progress("copies", "images copied", len(some))
    for number, item in enumerate(some, 1):
        content = item.path.read_bytes()
        with Image.open(io.BytesIO(content)) as image:
            ways = variants(image.convert("L"))
        original = decode(content, size)
        for way, copy in ways.items():
            pair = np.stack([original, decode(copy, size)])
            found = copies.find(copies.hashes(pair), pair.__getitem__)
            outcomes.setdefault(way, []).append((bool(found), float(copies.similarity(pair[:1], pair[1:])[0])))
        progress.reach(number)
    return [
        {
            "copied": way,
            "images": len(each),
            "found": sum(found for found, _ in each),
            "least": min(correlation for _, correlation in each),
        }
        for way, each in outcomes.items()
    ]


def variants(image: Image.Image) -> dict[str, bytes]:
    """Copies of an image as others may have saved it, by description."""
    width, height = image.size

    def saved(changed: Image.Image, kind: str = "JPEG", **settings: Any) -> bytes:
        buffer = io.BytesIO()
        changed.save(buffer, kind, **settings)
        return buffer.getvalue()

    def scaled(by: float) -> Image.Image:
        return image.resize((round(width * by), round(height * by)), Image.Resampling.LANCZOS)

    ways = {f"JPEG, quality {quality}": saved(image, quality=quality) for quality in QUALITIES}
    ways |= {f"{by:g} times the size, JPEG, quality 75": saved(scaled(by), quality=75) for by in SCALES}
    ways["half the size, JPEG, quality 30"] = saved(scaled(0.5), quality=30)
    ways["PNG"] = saved(image, "PNG")
    ways["brighter (1.15 x + 8)"] = saved(image.point(lambda grey: min(255, int(1.15 * grey + 8))), quality=85)
    ways["gamma 0.8"] = saved(image.point(lambda grey: int(255 * (grey / 255) ** 0.8)), quality=85)
    return ways


def near(found: list[Found], size: int) -> list[dict[str, Any]]:
    """Compares the pixels of images with similar hashes of 64 bits, without regard to the finer hash.

    Args:
        found: images.
        size: height and width of prepared images in px.

    Returns:
        One entry per distance: `bits` of 64, `pairs`, `patients` (pairs of images of two patients), `wrong` (those of
        them that are mistaken for copies), `most` (the highest correlation of details among them).
    """
    progress = console.Progress("copies", "images decoded", len(found))
    images = np.empty((len(found), size, size), np.uint8)
    for number, item in enumerate(found):
        images[number] = decode(item.path.read_bytes(), size)
        progress.reach(number + 1)
    patients = np.array([patient_of(item.image)[0] for item in found])
    coarse = copies.hashes(images)[:, 0]
    rows = []
    for bits in COARSE:
        parts = (np.argwhere(np.bitwise_count(coarse[i] ^ coarse[i + 1 :]) <= bits) + i + 1 for i in range(len(coarse)))
        pairs = np.array([(i, other) for i, part in enumerate(parts) for other in part.ravel()], int).reshape(-1, 2)
        others = pairs[patients[pairs[:, 0]] != patients[pairs[:, 1]]]
        correlations = [
            copies.similarity(images[part[:, 0]], images[part[:, 1]])
            for part in (others[start : start + 256] for start in range(0, len(others), 256))
        ]
        values = np.concatenate([*correlations, [-1.0]])
        wrong = int((values >= copies.CORRELATION).sum())
        row = {"bits": bits, "pairs": len(pairs), "patients": len(others), "wrong": wrong, "most": float(values.max())}
        rows.append(row)
    return rows


if __name__ == "__main__":
    main()
