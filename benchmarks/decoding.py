"""Speed of preprocess for full-resolution JPEGs, compared with Pillow alone: python -m benchmarks.decoding."""

import argparse
import itertools
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import measure
from components import console, process
from components.artifacts import files
from components.console import UserError
from components.ingest.layout import Found, find_images

_PREPROCESS = """
import sys, time
from components.parameters import PreprocessParameters
from components.preprocess.preprocess import preprocess
begun = time.perf_counter()
preprocess(*sys.argv[1:4], PreprocessParameters(image_size=int(sys.argv[4])))
print(time.perf_counter() - begun)
"""
_PILLOW = """
import sys, time
from PIL import Image
begun = time.perf_counter()
with open(sys.argv[1], encoding="utf-8", errors="surrogateescape") as names:
    for name in names.read().split("\\0"):
        Image.open(name).convert("L").resize((int(sys.argv[2]), int(sys.argv[2])))
print(time.perf_counter() - begun)
"""
WAYS = {"preprocess": "preprocess, all cores", "pillow": "Pillow, one process"}


def main(words: Sequence[str] | None = None) -> None:
    """Reads the command line, measures, prints."""
    process.prepare()
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.decoding",
        description="Measures images per second of preprocess (all cores, JPEGs decoded at reduced scale) and of "
        "Pillow in one process (full decode, grey, resize), alternately, each time in a new process.",
        epilog="example: python -m benchmarks.decoding --path ~/chest_xray --images 1600 --json decoding.json",
    )
    parser.add_argument(
        "--path", required=True, type=Path, help="folder with {NORMAL,PNEUMONIA}/, best of full resolution"
    )
    parser.add_argument("--image-size", type=int, default=96, help="height and width in px; default: %(default)s")
    parser.add_argument(
        "--images", type=int, default=1600, help="how many; those in the folder are repeated; default: %(default)s"
    )
    parser.add_argument("--repetitions", type=int, default=5, help="of both; default: %(default)s")
    parser.add_argument("--json", type=Path, help="file for the results")
    arguments = parser.parse_args(words)
    with console.plain_errors():
        _check(arguments)
        result = compare(arguments.path, arguments.image_size, arguments.images, arguments.repetitions)
        if arguments.json:
            measure.write_json(arguments.json, result)
    print(f"\n{_table(result)}\n\n{result['ratio']:.2f} times as fast; medians of {arguments.repetitions} repetitions")


def compare(path: Path, image_size: int, images: int, repetitions: int) -> dict[str, Any]:
    """Measures both ways alternately.

    The disk cache is warm. The time of preprocess is that from the raw to the prepared dataset, the time of Pillow that
    from the files to resized images, which are discarded. Both exclude starting Python and importing packages.

    Args:
        path: folder with the images, in a layout that ingest understands.
        image_size: height and width of the results in px.
        images: number of images to decode; those in the folder are repeated.
        repetitions: of both ways.

    Returns:
        What `--json` writes, see benchmarks/README.md.

    Raises:
        UserError: the folder has no images of both classes, or one of them cannot be decoded.
    """
    with tempfile.TemporaryDirectory(prefix="decoding-") as name:
        workspace = Path(name)
        console.say("decoding", f"ingest of {images} images (not measured)")
        links = _repeat(find_images(path), workspace / "source", images)
        (workspace / "names").write_bytes(b"\0".join(bytes(link) for link in links))
        raw = workspace / "raw"
        measure.run(
            ["-m", "components.ingest", "--source", "directory", "--path", workspace / "source", "--output", raw]
        )
        commands: dict[str, list[measure.Word]] = {
            "preprocess": ["-c", _PREPROCESS, raw, workspace / "prepared", workspace / "summary", image_size],
            "pillow": ["-c", _PILLOW, workspace / "names", image_size],
        }
        seconds: dict[str, list[float]] = {way: [] for way in WAYS}
        for number, (way, command) in itertools.product(range(repetitions), commands.items()):
            seconds[way].append(float(measure.run(command).output.splitlines()[-1]))
            say = f"repetition {number + 1} of {repetitions}: {WAYS[way]} {seconds[way][-1]:.2f} s"
            console.say("decoding", say)
        done = files.read_json(workspace / "prepared" / "dataset.json", "prepared dataset")["splits"]
    if (count := sum(split["images"] for split in done.values())) != images:
        raise UserError(f"only {count} of {images} images could be decoded, so the times cannot be compared")
    speed = {way: images / median(seconds[way]) for way in WAYS}
    return {
        "benchmark": "decoding",
        "images": images,
        "image_size": image_size,
        "seconds": seconds,
        "images_per_second": speed,
        "ratio": speed["preprocess"] / speed["pillow"],
    }


def _check(arguments: argparse.Namespace) -> None:
    if not arguments.path.is_dir():
        raise UserError(f"there is no folder {arguments.path}: check --path")
    if arguments.images < 40:
        raise UserError(f"--images {arguments.images} is too few for three splits: give 40 or more")
    if arguments.repetitions < 1:
        raise UserError(f"--repetitions is {arguments.repetitions}: give 1 or more")


def _repeat(found: list[Found], folder: Path, images: int) -> list[Path]:
    """Creates the given number of links to the images, with one folder per class."""
    links = []
    for number, item in zip(range(images), itertools.cycle(found), strict=False):
        link = folder / item.label / f"{number:06}_{item.path.name}"
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(item.path.resolve())
        links.append(link)
    return links


def _table(result: dict[str, Any]) -> str:
    rows = [
        [WAYS[way], f"{result['images_per_second'][way]:,.0f}", *(f"{f(seconds):.2f}" for f in (median, min, max))]
        for way, seconds in result["seconds"].items()
    ]
    return measure.table(["way", "images/s", "median s", "least s", "most s"], rows)


if __name__ == "__main__":
    main()
