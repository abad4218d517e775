"""Applies a run's trained model to images, or exports it: python -m pipelines.predict."""

import argparse
import json
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from components import console
from components.artifacts.evaluation import Evaluation, calibrated
from components.artifacts.names import REGIME_TITLES, REGIMES
from components.artifacts.trained_model import TrainedModel
from components.console import UserError
from components.ingest import formats
from components.preprocess import decoding

BATCH_SIZE = 64


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
        choice = choose(arguments.run, arguments.regime, arguments.seed)
        _note(
            f"{REGIME_TITLES[choice.regime]}, seed {choice.seed} (validation ROC AUC {choice.validation_auc:.3f}); "
            "for research, not for clinical use"
        )
        images, refused = read(_files(arguments.images), choice.image_size)
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
        import keras  # noqa: PLC0415 (mistakes need not wait for TensorFlow)

        network = keras.models.load_model(choice.model.model_file, compile=False)
        if images:
            pixels = np.stack(list(images.values()))
            scores = score(network, pixels)
            _print(choice, list(images), scores, arguments.as_json)
            if arguments.explain:
                explain(network, images, arguments.explain)
        if arguments.export:
            from pipelines import serving  # noqa: PLC0415

            serving.export(network, choice, arguments.export, arguments.storage_uri, list(images.values()))
            _note(f"{arguments.export} has the model for TensorFlow Serving and KServe")
        for path, reason in refused.items():
            _note(f"{path}: {reason}")
    if refused:
        sys.exit(1)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pipelines.predict",
        description="Says for each image how probable pneumonia is, as a model of a finished run sees it. The "
        "probability is calibrated and the threshold chosen on the run's validation images.",
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
    add("--run", type=Path, default=Path("runs/latest"), help="folder of a finished run; default: %(default)s")
    add("--regime", choices=REGIMES, help="default: the best on validation")
    add("--seed", type=int, help="which of several trainings; default: the best on validation")
    add("--json", dest="as_json", action="store_true", help="print JSON, with the uncalibrated scores")
    add("--explain", type=Path, metavar="FOLDER", help="write a Grad-CAM picture of each image there")
    add("--export", type=Path, metavar="FOLDER", help="write a SavedModel and a KServe manifest there")
    add("--storage-uri", default="gs://BUCKET/PATH", metavar="URI", help="where KServe will find the exported folder")
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
    if not run.exists():
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
    """The models of a run that were evaluated."""
    evaluations = [Evaluation.load(file.parent) for file in run.resolve().glob("steps/**/evaluation.json")]
    for file in run.resolve().glob("steps/**/training.json"):
        model = TrainedModel.load(file.parent)
        for evaluation in evaluations:
            if evaluation.results["training"] == model.training:
                yield Choice(model, evaluation)


def _files(places: Sequence[Path]) -> list[Path]:
    """The files named, and those in the folders named."""
    found = []
    for place in places:
        if not place.exists():
            raise UserError(f"there is no {place}: name image files or folders")
        inside = sorted(path for path in place.rglob("*") if path.is_file()) if place.is_dir() else [place]
        if not inside:
            raise UserError(f"{place} is empty: name image files or folders of them")
        found += inside
    return list(dict.fromkeys(found))


def read(paths: Sequence[Path], image_size: int) -> tuple[dict[Path, np.ndarray], dict[Path, str]]:
    """Reads images exactly as ingest and preprocess do.

    Args:
        paths: image files.
        image_size: height and width (px) to make them.

    Returns:
        uint8 (image_size, image_size) by path, and for files that cannot be used the reason by path.
    """
    images, refused = {}, {}
    for path in paths:
        try:
            if path.stat().st_size > formats.MAX_BYTES:
                raise ValueError(f"the file is larger than {formats.MAX_BYTES // 1_000_000} MB")
            images[path] = decoding.decode(formats.inspect(path.read_bytes()).content, image_size)
        except ValueError as error:
            refused[path] = str(error)
    return images, refused


def score(network: Any, images: np.ndarray) -> np.ndarray:
    """The network's scores (N,), float64, of uint8 images (N, H, W)."""
    starts = range(0, len(images), BATCH_SIZE)
    parts = [network.predict_on_batch(images[start : start + BATCH_SIZE, ..., None])[:, 0] for start in starts]
    return np.concatenate(parts).astype(np.float64)


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
    width = max(len(str(path)) for path in paths)
    print(f"{'image':{width}}  probability  verdict at {limit:.3f}")
    for path, probability, verdict in zip(paths, probabilities, verdicts, strict=True):
        print(f"{path!s:{width}}  {probability:11.3f}  {verdict}")


def explain(network: Any, images: dict[Path, np.ndarray], folder: Path) -> None:
    """Writes a picture of each image: as the network sees it, and beside it where it found signs of pneumonia.

    Args:
        network: the Keras model.
        images: uint8 (H, W) by path.
        folder: for `NAME.png`; of equal names the later get a number.

    Raises:
        UserError: the network has no maps.
    """
    from components.compare.explanations import overlay  # noqa: PLC0415 (matplotlib)
    from components.evaluate import gradcam  # noqa: PLC0415 (Keras)

    found = gradcam.explain(network, np.stack(list(images.values())))
    if found is None:
        raise UserError("this model does not end in an average of feature maps, so Grad-CAM has none: omit --explain")
    folder.mkdir(parents=True, exist_ok=True)
    taken: set[str] = set()
    for (path, pixels), heat in zip(images.items(), found.maps, strict=True):
        name = _free(path.stem, taken)
        warm = overlay(pixels, heat)
        plain = Image.fromarray(pixels).convert("RGB").resize(warm.shape[1::-1], Image.Resampling.BICUBIC)
        new = folder / f".{name}.new"
        Image.fromarray(np.hstack([np.asarray(plain), warm])).save(new, "PNG")
        new.rename(folder / f"{name}.png")
    _note(f"{folder} has {len(images)} pictures: the image, and in colour where the model found signs of pneumonia")


def _free(stem: str, taken: set[str]) -> str:
    """A name that is not taken yet, which it then is."""
    name, number = stem, 1
    while name in taken:
        number += 1
        name = f"{stem}-{number}"
    taken.add(name)
    return name


def _note(message: str) -> None:
    """Says something that is no result."""
    print(f"{console.PREFIX}predict: {message}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
