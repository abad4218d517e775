"""Exports a trained model for TensorFlow Serving and KServe."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np
import yaml

from components.artifacts import files
from components.artifacts.evaluation import Calibration
from components.console import UserError
from components.imaging import decoding
from pipelines.predict.selection import SelectedModel

if TYPE_CHECKING:
    import keras

KIND = "served model"

VERSION = "1"
"""Name of the SavedModel's folder; TensorFlow Serving loads the one with the highest number."""


class Description(TypedDict):
    """What a client has to know about a model; the content of `model.json` beside its header.

    Attributes:
        regime, seed: of its training.
        dataset: fingerprint of the dataset that it was trained on.
        image_size: height and width of its input images (px).
        resize: how images are prepared, a sentence.
        score_threshold: of the uncalibrated score.
        threshold: the calibrated probability that corresponds to it.
        calibration: how scores become probabilities.
    """

    regime: str
    seed: int
    dataset: str
    image_size: int
    resize: str
    score_threshold: float
    threshold: float
    calibration: Calibration


def export(
    network: "keras.Model", selected: SelectedModel, folder: Path, storage_uri: str, images: list[np.ndarray]
) -> None:
    """Writes the model with its calibration included, a manifest to serve it, and an example request.

    In the folder: `1/` (a SavedModel that takes uint8 (N, H, W, 1) and gives `probability` and `score`, float32
    (N, 1)), `inferenceservice.yaml` for KServe, `model.json` (see `Description`), `README.md` on how to
    use it, and, if there are images, the example `request.json`.

    Args:
        network: the Keras model.
        selected: its training and evaluation.
        folder: is created; an earlier export there is replaced.
        storage_uri: where KServe will find the folder, for example `gs://bucket/pneumonia` or `pvc://claim/path`.
        images: uint8 (H, W), for the example request.

    Raises:
        UserError: the folder has other content than an export.
    """
    check_folder(folder)
    import keras  # noqa: PLC0415 (takes seconds, which mistakes need not wait for)

    started = files.now()
    fit = selected.evaluation.results["calibration"]
    inputs = keras.Input(network.input_shape[1:], dtype="uint8", name="image")
    score = network(inputs)
    inside = keras.ops.clip(score, 1e-7, 1 - 1e-7)
    logit = keras.ops.log(inside) - keras.ops.log(1 - inside)
    probability = keras.ops.sigmoid(logit / fit["temperature"] + fit["offset"])
    served = keras.Model(inputs, {"probability": probability, "score": score})
    with files.new_folder(folder) as new:
        served.export(new / VERSION, format="tf_saved_model", verbose=False)
        (new / "inferenceservice.yaml").write_text(yaml.safe_dump(manifest(selected, storage_uri), sort_keys=False))
        if images:
            instances = [image[..., None].tolist() for image in images]
            (new / "request.json").write_text(json.dumps({"instances": instances}))
        about = description(selected)
        warning = selected.calibration_warning()
        warning = (
            f"**Warning:** {warning}."
            if warning
            else "On the run's test images, calibration did not raise the Brier score."
        )
        (new / "README.md").write_text(_README.format(**about, warning=warning), encoding="utf-8")
        files.write_json(new / "model.json", files.header(KIND, started, {"storage_uri": storage_uri}) | about)


def check_folder(folder: Path) -> None:
    """Makes sure that an export replaces nothing but an export.

    Raises:
        UserError: the folder has other content than an export.
    """
    if os.path.lexists(folder) and not folder.is_dir():
        raise UserError(f"{folder} is a file: choose another folder for --export")
    if not folder.is_dir() or not any(folder.iterdir()):
        return
    try:
        files.read_json(folder / "model.json", KIND)
    except UserError:
        raise UserError(f"{folder} has other content than an export: choose a new folder for --export") from None


def description(selected: SelectedModel) -> Description:
    """What a client has to know about a model."""
    results = selected.evaluation.results
    return {
        "regime": selected.regime,
        "seed": selected.seed,
        "dataset": results["dataset"]["fingerprint"],
        "image_size": selected.image_size,
        "resize": decoding.DESCRIPTION,
        "score_threshold": selected.threshold,
        "threshold": float(selected.probabilities(np.array([selected.threshold]))[0]),
        "calibration": results["calibration"],
    }


_README = """# Pneumonia on chest radiographs: {regime}, seed {seed}

For research, not for clinical use.

The folder `1/` is a TensorFlow SavedModel with one signature, `serving_default`:

| | name | dtype and shape |
| --- | --- | --- |
| input | `image` | uint8 (N, {image_size}, {image_size}, 1) |
| output | `probability` | float32 (N, 1), calibrated probability of pneumonia |
| output | `score` | float32 (N, 1), the model's uncalibrated score |

The verdict is pneumonia if `score` is at least {score_threshold!r}, which corresponds to a probability of
{threshold:.6f}: the threshold was chosen on validation images, and applies to the uncalibrated score. `model.json` has
the exact values.

{warning}

An image must be prepared as in training: {resize}; {image_size} px, values 0 to 255, not scaled further.

    kubectl apply -f inferenceservice.yaml

after uploading this folder to the `storageUri` in that file, or on one machine

    docker run -p 8501:8501 -v "$PWD:/models/pneumonia" -e MODEL_NAME=pneumonia tensorflow/serving
    curl --data @request.json http://localhost:8501/v1/models/pneumonia:predict

`request.json` has the first images that were predicted with the export (it is absent if there were none):
`{{"instances": [IMAGE, …]}}`, each image a list of {image_size} rows of {image_size} pixels `[GREY]`. The answer is
`{{"predictions": [{{"probability": [P], "score": [S]}}, …]}}`.
"""


def manifest(selected: SelectedModel, storage_uri: str) -> dict[str, Any]:
    """KServe's InferenceService (serving.kserve.io/v1beta1) for an exported model."""
    resources = {"cpu": "1", "memory": "2Gi"}
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {
            "name": "pneumonia",
            "annotations": {
                "pneumonia-benchmark/regime": selected.regime,
                "pneumonia-benchmark/dataset": selected.evaluation.results["dataset"]["fingerprint"],
            },
        },
        "spec": {
            "predictor": {
                "model": {
                    "modelFormat": {"name": "tensorflow"},
                    "storageUri": storage_uri,
                    "resources": {"requests": dict(resources), "limits": dict(resources)},
                }
            }
        },
    }
