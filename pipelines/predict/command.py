"""The command line of python -m pipelines.predict: applies a run's trained model to images, or exports it."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from components import console, process
from components.artifacts.names import REGIME_TITLES, REGIMES
from components.console import UserError
from components.inference.loading import load_model
from pipelines import runs
from pipelines.predict import explaining, images, serving
from pipelines.predict.messages import note
from pipelines.predict.output import print_predictions
from pipelines.predict.predicting import predict
from pipelines.predict.selection import select


def main(words: Sequence[str] | None = None) -> None:
    """Reads the command line; predicts, explains, exports.

    Raises:
        SystemExit: with code 1 where files could not be used, and with code 2 for a mistake.
    """
    process.prepare()
    arguments = _parser().parse_args(words)
    with console.plain_errors():
        if not arguments.images and not arguments.export:
            raise UserError("there are no images to predict: give image files or folders, or --export FOLDER")
        if arguments.storage_uri and not arguments.export:
            raise UserError("--storage-uri has no effect without --export FOLDER: add --export, or omit --storage-uri")
        selected = select(arguments.run or runs.latest(Path("runs")), arguments.regime, arguments.seed)
        paths = images.find(arguments.images)
        if arguments.explain:
            explaining.check_folder(arguments.explain, arguments.images)
        if arguments.export:
            serving.check_folder(arguments.export)
        note(
            f"{REGIME_TITLES[selected.regime]}, seed {selected.seed} (validation ROC AUC "
            f"{selected.validation_auc:.3f}); for research, not for clinical use"
        )
        if warning := selected.calibration_warning():
            note(f"warning: {warning}")
        remedy = "run the training again, or choose another --regime or --seed"
        network = load_model(selected.model.model_file, remedy)
        predictions = predict(network, selected.image_size, paths, arguments.explain)
        if predictions.scores:
            print_predictions(selected, predictions.scores, arguments.as_json)
        if arguments.export:
            storage = arguments.storage_uri or "gs://BUCKET/PATH"
            serving.export(network, selected, arguments.export, storage, predictions.first)
            note(
                f"{arguments.export} has the model for TensorFlow Serving and KServe, and a README.md on how to use it"
            )
        if predictions.refused:
            note(f"{predictions.refused} of {len(paths)} files could not be used")
            sys.exit(1)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pipelines.predict",
        description="Prints for each image the probability of pneumonia that a model of a finished run predicts. The "
        "probability is calibrated. The verdict compares the uncalibrated score with the threshold that was chosen on "
        "the run's validation images; the threshold is printed as the calibrated probability that corresponds to it.",
        epilog="""examples:
  python -m pipelines.predict film.jpeg
      with the latest run's best model (by ROC AUC on validation; nothing is chosen on test)
  python -m pipelines.predict --run runs/20261123-101500 --regime custom_cnn films/ --explain seen/
      the images of a folder, and for each a picture of where the model found signs of pneumonia
  python -m pipelines.predict --export served --storage-uri gs://bucket/pneumonia film.jpeg
      what TensorFlow Serving and KServe load, and an example request with this image""",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("images", nargs="*", type=Path, metavar="IMAGE", help="JPEG, PNG, TIFF, BMP or DICOM files, or folders of them")
    add("--run", type=Path, help="folder of a finished run; default: runs/latest")
    add("--regime", choices=REGIMES, help="regime of the model; default: the best on validation")
    add("--seed", type=int, metavar="S", help="seed of the model's training; default: the best on validation")
    add("--json", dest="as_json", action="store_true", help="print JSON, with the uncalibrated scores")
    add("--explain", type=Path, metavar="FOLDER", help="write a Grad-CAM picture of each image to a new folder")
    add("--export", type=Path, metavar="FOLDER", help="write a SavedModel and a KServe manifest to a folder")
    add("--storage-uri", metavar="URI", help="where KServe will find the exported folder; default: gs://BUCKET/PATH")
    return parser
