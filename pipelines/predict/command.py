"""Applies a run's trained model to images, or exports it: python -m pipelines.predict."""

import argparse
import contextlib
import json
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from components import console
from components.artifacts import files
from components.artifacts.evaluation import Evaluation, calibrated
from components.artifacts.names import REGIME_TITLES, REGIMES
from components.artifacts.trained_model import TrainedModel
from components.console import UserError
from components.imaging import decoding, formats
from components.inference.scoring import BATCH_SIZE, score
from pipelines.local.command import latest
from pipelines.predict import serving

SMALLEST_PICTURE = 240
"""Height and least width (px) of each half of an explanation's picture."""

LONGEST_NAME = 200
"""Letters of a picture's name; file systems take 255 with number and suffix."""


@dataclass(frozen=True)
class Choice:
    """A trained model and what its evaluation says of its scores.

    Attributes:
        model: the trained model.
        evaluation: its evaluation.
    """

    model: TrainedModel
    evaluation: Evaluation

    @property
    def regime(self) -> str:
        """How it was trained."""
        return self.evaluation.results["regime"]

    @property
    def seed(self) -> int:
        """Of its training."""
        return self.evaluation.results["seed"]

    @property
    def image_size(self) -> int:
        """Height and width (px) of the images that it takes."""
        return self.evaluation.results["dataset"]["image_size"]

    @property
    def validation_auc(self) -> float:
        """ROC AUC on the validation split, by which models are chosen."""
        return self.evaluation.results["metrics"]["validation"]["roc_auc"]

    def probabilities(self, scores: np.ndarray) -> np.ndarray:
        """The model's scores (N,) as calibrated probabilities of pneumonia (N,)."""
        fit = self.evaluation.results["calibration"]
        return calibrated(np.asarray(scores, np.float64), fit["temperature"], fit["offset"])

    def verdicts(self, scores: np.ndarray) -> list[str]:
        """Pneumonia for scores from the threshold on that was chosen on validation, normal for others."""
        threshold = self.evaluation.results["threshold"]["value"]
        return ["pneumonia" if score >= threshold else "normal" for score in scores]


def main(words: Sequence[str] | None = None) -> None:
    """Reads the command line; predicts, explains, exports."""
    parser = _parser()
    arguments = parser.parse_args(words)
    with console.plain_errors():
        if not arguments.images and not arguments.export:
            raise UserError("there are no images to predict: name image files or folders, or give --export FOLDER")
        if arguments.storage_uri and not arguments.export:
            raise UserError("--storage-uri has no effect without --export FOLDER: give that too, or leave it out")
        choice = choose(arguments.run or latest(Path("runs")), arguments.regime, arguments.seed)
        paths = _files(arguments.images)
        if arguments.explain:
            _check_pictures(arguments.explain, arguments.images)
        if arguments.export:
            serving.check(arguments.export)
        _note(
            f"{REGIME_TITLES[choice.regime]}, seed {choice.seed} (validation ROC AUC {choice.validation_auc:.3f}); "
            "for research, not for clinical use"
        )
        network = load(choice)
        seen = predict(network, choice, paths, arguments.explain)
        if seen.scores:
            _print(choice, list(seen.scores), np.array(list(seen.scores.values())), arguments.as_json)
        if arguments.export:
            storage = arguments.storage_uri or "gs://BUCKET/PATH"
            serving.export(network, choice, arguments.export, storage, seen.first)
            _note(
                f"{arguments.export} has the model for TensorFlow Serving and KServe, and a README.md on how to ask it"
            )
        if seen.refused:
            _note(f"{seen.refused} of {len(paths)} files could not be used")
            sys.exit(1)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pipelines.predict",
        description="Says for each image how probable pneumonia is, as a model of a finished run sees it. The "
        "probability is calibrated. The verdict is that of the uncalibrated score against the threshold chosen on the "
        "run's validation images; that threshold is printed as the calibrated probability it amounts to.",
        epilog="""examples:
  python -m pipelines.predict film.jpeg
      the latest run's best model (by ROC AUC on validation; nothing is chosen on test)
  python -m pipelines.predict --run runs/20261123-101500 --regime custom_cnn films/ --explain seen/
      a folder's images, and for each a picture of where the model looked
  python -m pipelines.predict --export served --storage-uri gs://bucket/pneumonia film.jpeg
      what TensorFlow Serving and KServe load, and a request that asks for this image""",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("images", nargs="*", type=Path, metavar="IMAGE", help="JPEG, PNG, TIFF, BMP or DICOM files, or folders of them")
    add("--run", type=Path, help="folder of a finished run; default: runs/latest")
    add("--regime", choices=REGIMES, help="default: the best on validation")
    add("--seed", type=int, metavar="S", help="which of several trainings; default: the best on validation")
    add("--json", dest="as_json", action="store_true", help="print JSON, with the uncalibrated scores")
    add("--explain", type=Path, metavar="FOLDER", help="write a Grad-CAM picture of each image there; a new folder")
    add("--export", type=Path, metavar="FOLDER", help="write a SavedModel and a KServe manifest there")
    add("--storage-uri", metavar="URI", help="where KServe will find the exported folder; default: gs://BUCKET/PATH")
    return parser


def choose(run: Path, regime: str | None = None, seed: int | None = None) -> Choice:
    """Finds a trained model of a run: of those asked for, the one with the highest ROC AUC on validation.

    Args:
        run: a folder that `pipelines.local` wrote.
        regime: only this one.
        seed: only this one.

    Raises:
        UserError: the run has no such model.
    """
    if not run.is_dir():
        raise UserError(f"there is no run {run}: name the folder of a finished one with --run")
    found = sorted(_choices(run), key=lambda choice: (-choice.validation_auc, choice.seed))
    if not found:
        raise UserError(f"{run} has no trained and evaluated models below steps/: name the folder of a finished run")
    fit = [choice for choice in found if regime in (None, choice.regime) and seed in (None, choice.seed)]
    if not fit:
        has = ", ".join(sorted({f"{choice.regime} {choice.seed}" for choice in found}))
        raise UserError(f"{run} has no such model; its regimes and seeds are: {has}")
    return fit[0]


def _choices(run: Path) -> Iterator[Choice]:
    """The models of a run that were evaluated; what is not whole is left out and said."""
    evaluations = list(_whole(run, "evaluation.json", _evaluation))
    for model in _whole(run, "training.json", TrainedModel.load):
        for evaluation in evaluations:
            if evaluation.results["training"] == model.training:
                yield Choice(model, evaluation)


def _whole(run: Path, name: str, load_folder: Callable[[Path], Any]) -> Iterator[Any]:
    for file in sorted(run.resolve().glob(f"steps/**/{name}")):
        if any(part.startswith(".") for part in file.relative_to(run.resolve()).parts):  # stopped while it wrote
            continue
        try:
            yield load_folder(file.parent)
        except UserError as error:
            _note(f"left out: {error}")


def _evaluation(folder: Path) -> Evaluation:
    evaluation = Evaluation.load(folder)
    lacking = {
        "regime",
        "seed",
        "threshold",
        "calibration",
        "metrics",
        "dataset",
        "training",
    } - evaluation.results.keys()
    # The floor's evaluation has everything, but no trained model belongs to it.
    if lacking or "offset" not in evaluation.results["calibration"]:
        raise UserError(f"{folder} was written by another version of the project; run the benchmark again")
    return evaluation


def load(choice: Choice) -> Any:
    """The Keras model of a choice.

    Raises:
        UserError: its file is damaged.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import keras  # noqa: PLC0415 (mistakes need not wait for TensorFlow)

    file = choice.model.model_file
    try:
        return keras.models.load_model(file, compile=False)
    except PermissionError:
        raise
    except Exception:  # Keras raises nearly anything on damaged files
        raise UserError(
            f"{file} cannot be read as a Keras model: run the training again, or choose another --regime or --seed"
        ) from None


def _files(places: Sequence[Path]) -> list[Path]:
    """The files named, and those in the folders named, without hidden ones."""
    found = []
    for place in places:
        if not os.path.lexists(place):
            raise UserError(f"there is no {shown(place)}: name image files or folders")
        inside = sorted(_inside(place)) if place.is_dir() else [place]
        if not inside:
            raise UserError(f"{shown(place)} is empty: name image files or folders of them")
        found += inside
    return list(dict.fromkeys(found))


def _inside(folder: Path) -> Iterator[Path]:
    """The files of a folder, as ingest finds them: links to folders may lead anywhere and are not followed."""
    for parent, folders, names in os.walk(folder, onerror=_stop):
        for name in folders:
            if Path(parent, name).is_symlink():
                _note(f"{shown(Path(parent, name))} is a link to a folder and left out: name it itself")
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(parent, name) for name in names if not name.startswith("."))


def _stop(error: OSError) -> None:
    """Makes a folder that cannot be read an error; `os.walk` would leave it out without a word."""
    raise error


def _check_pictures(folder: Path, places: Sequence[Path]) -> None:
    """Keeps the pictures of --explain apart from the images that they explain, and from anything else."""
    if not places:
        raise UserError("--explain needs images: name image files or folders")
    if os.path.lexists(folder) and not folder.is_dir():
        raise UserError(f"{shown(folder)} is a file: choose another folder for --explain")
    if folder.is_dir() and any(folder.iterdir()):
        raise UserError(
            f"{shown(folder)} is not empty, and nothing in it is replaced: choose a new folder for --explain"
        )
    for place in places:
        if place.is_dir() and folder.resolve().is_relative_to(place.resolve()):
            raise UserError(
                f"{shown(folder)} lies in {shown(place)}, where its pictures would be taken for images next time: "
                "choose a folder elsewhere for --explain"
            )


@dataclass
class Seen:
    """What came of images.

    Attributes:
        scores: the model's uncalibrated score by path.
        first: uint8 (H, W), the first few images.
        refused: so many files could not be used.
    """

    scores: dict[Path, float]
    first: list[np.ndarray]
    refused: int = 0


def predict(network: Any, choice: Choice, paths: Sequence[Path], pictures: Path | None = None) -> Seen:
    """Scores image files; a batch at a time is in memory. Files that cannot be used are named on standard error.

    Args:
        network: the Keras model.
        choice: what is known of it.
        paths: image files.
        pictures: new folder for a picture of each image; None for none.

    Raises:
        UserError: there are to be pictures, and the network has no maps.
    """
    seen = Seen({}, [])
    painter = Painter(network) if pictures else None
    progress = console.Progress("predict", "files predicted", len(paths))
    with contextlib.ExitStack() as stack:
        # Standard output is for results.
        stack.enter_context(contextlib.redirect_stdout(sys.stderr))
        folder = None
        for done, images in _batches(paths, choice.image_size, seen):
            pixels = np.stack(list(images.values()))
            seen.scores.update(zip(images, score(network, pixels).tolist(), strict=True))
            seen.first += list(pixels[: serving.REQUEST_IMAGES - len(seen.first)])
            if painter:
                folder = folder or stack.enter_context(files.new_folder(pictures))
                painter.paint(images, folder)
            progress.reach(done)
    if folder:
        _note(
            f"{shown(pictures)} has {len(seen.scores)} pictures: the image, and in colour where the model found signs "
            "of pneumonia"
        )
    return seen


def _batches(paths: Sequence[Path], image_size: int, seen: Seen) -> Iterator[tuple[int, dict[Path, np.ndarray]]]:
    """How many files are done, and the images among the latest."""
    images: dict[Path, np.ndarray] = {}
    for done, path in enumerate(paths, start=1):
        try:
            images[path] = read(path, image_size)
        except ValueError as error:
            seen.refused += 1
            _note(f"{shown(path)}: {error}")
        if len(images) == BATCH_SIZE or (images and done == len(paths)):
            yield done, images
            images = {}


def read(path: Path, image_size: int) -> np.ndarray:
    """Reads an image exactly as ingest and preprocess do.

    Args:
        path: of the file.
        image_size: height and width (px) to make it.

    Returns:
        uint8 (image_size, image_size).

    Raises:
        ValueError: the file cannot be used; the message says why.
    """
    try:
        # A pipe or a device has no end, or waits for ever.
        if path.exists() and not path.is_file():
            raise ValueError("not a regular file")
        if path.stat().st_size > formats.MAX_BYTES:
            raise ValueError(f"the file is larger than {formats.MAX_BYTES // 1_000_000} MB")
        content = path.read_bytes()
    except OSError as error:
        raise ValueError(f"cannot be read ({error.strerror or error})") from None
    image = decoding.decode(formats.inspect(content).content, image_size)
    decoding.check_contrast(image)
    return image


def _print(choice: Choice, paths: list[Path], scores: np.ndarray, as_json: bool) -> None:
    probabilities, verdicts = choice.probabilities(scores), choice.verdicts(scores)
    threshold = choice.evaluation.results["threshold"]["value"]
    limit = float(choice.probabilities(np.array([threshold]))[0])
    if as_json:
        rows = [
            {"image": str(path), "probability": float(probability), "score": float(raw), "verdict": verdict}
            for path, probability, raw, verdict in zip(paths, probabilities, scores, verdicts, strict=True)
        ]
        head = {"regime": choice.regime, "seed": choice.seed, "threshold": limit, "score_threshold": threshold}
        print(json.dumps(head | {"images": rows}, indent=1))
        return
    names = [shown(path) for path in paths]
    width = max(len(name) for name in names)
    print(f"{'image':{width}}  probability  verdict at {limit:.3f}")
    for name, probability, verdict in zip(names, probabilities, verdicts, strict=True):
        print(f"{name:{width}}  {probability:11.3f}  {verdict}")


def shown(path: Path | None) -> str:
    """A path as one line of plain text: a file's name may hold line breaks, and orders to the terminal."""
    return "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in str(path))


class Painter:
    """Paints where a model looks, with Grad-CAM.

    Args:
        network: the Keras model.

    Raises:
        UserError: the model has no maps.
    """

    def __init__(self, network: Any):
        from components.inference import gradcam  # noqa: PLC0415 (Keras)

        explainer = gradcam.take_apart(network)
        if explainer is None:
            raise UserError(
                "this model does not end in an average of feature maps, so Grad-CAM has none: omit --explain"
            )
        self._explainer = explainer
        self._taken: set[str] = set()

    def paint(self, images: dict[Path, np.ndarray], folder: Path) -> None:
        """Writes `NAME.png` of each image: as the network sees it, and beside it where it found signs of pneumonia.

        Args:
            images: uint8 (H, W) by path; of equal names the later get a number.
            folder: where to.
        """
        from components.imaging.overlay import overlay  # noqa: PLC0415 (matplotlib)

        heats = self._explainer.heat(np.stack(list(images.values())))
        for (path, pixels), heat in zip(images.items(), heats, strict=True):
            strongest = heat.max()
            scaled = (255 * heat / strongest if strongest > 0 else heat).round().astype(np.uint8)
            side = max(SMALLEST_PICTURE, *pixels.shape)
            warm = overlay(pixels, scaled, side)
            plain = Image.fromarray(pixels).convert("RGB").resize((side, side), Image.Resampling.BICUBIC)
            picture = Image.fromarray(np.hstack([np.asarray(plain), warm]))
            picture.save(folder / f"{_free(path.stem, self._taken)}.png")


def _free(stem: str, taken: set[str]) -> str:
    """A file's name made of another's, short and plain, not taken yet (whatever the capitals), which it then is."""
    plain = re.sub(r"[^\w. -]", "_", stem, flags=re.ASCII)[:LONGEST_NAME].lstrip(".") or "_"
    name, number = plain, 1
    while name.lower() in taken:
        number += 1
        name = f"{plain}-{number}"
    taken.add(name.lower())
    return name


def _note(message: str) -> None:
    """Says something that is no result."""
    print(f"{console.PREFIX}predict: {message}", file=sys.stderr, flush=True)
