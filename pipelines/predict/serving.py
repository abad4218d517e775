"""A trained model as TensorFlow Serving and KServe load it."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml

from components.artifacts import files
from components.console import UserError
from components.imaging import decoding

if TYPE_CHECKING:
    from pipelines.predict.command import Choice

KIND = "served model"

REQUEST_IMAGES = 8
"""At most so many images are in the request to try the model with: as JSON each takes four times its pixels."""

VERSION = "1"
"""TensorFlow Serving takes the highest number below the model's folder."""


def export(network: Any, choice: "Choice", folder: Path, storage_uri: str, images: list[np.ndarray]) -> None:
    """Writes the model with its calibration inside, the manifest to serve it, and a request.

    In the folder: `1/` (a SavedModel that takes uint8 (N, H, W, 1) and gives `probability` and `score`, float32
    (N, 1)), `inferenceservice.yaml` for KServe, `model.json` (what the model is, its threshold, how images are
    prepared), `README.md` on how to ask it, and, where there are images, `request.json` to try it with.

    Args:
        network: the Keras model.
        choice: what is known of it.
        folder: made anew; an earlier export there is replaced.
        storage_uri: where KServe will find the folder, for example `gs://bucket/pneumonia` or `pvc://claim/path`.
        images: uint8 (H, W), for the request.

    Raises:
        UserError: the folder holds something else.
    """
    check(folder)
    import keras  # noqa: PLC0415 (who imports this module for its manifest need not wait)

    started = files.now()
    fit = choice.evaluation.results["calibration"]
    inputs = keras.Input(network.input_shape[1:], dtype="uint8", name="image")
    score = network(inputs)
    inside = keras.ops.clip(score, 1e-7, 1 - 1e-7)
    logit = keras.ops.log(inside) - keras.ops.log(1 - inside)
    probability = keras.ops.sigmoid(logit / fit["temperature"] + fit["offset"])
    served = keras.Model(inputs, {"probability": probability, "score": score})
    with files.new_folder(folder) as new:
        served.export(new / VERSION, format="tf_saved_model", verbose=False)
        (new / "inferenceservice.yaml").write_text(yaml.safe_dump(manifest(choice, storage_uri), sort_keys=False))
        if images:
            instances = [image[..., None].tolist() for image in images]
            (new / "request.json").write_text(json.dumps({"instances": instances}))
        about = description(choice)
        (new / "README.md").write_text(_README.format(**about), encoding="utf-8")
        files.write_json(new / "model.json", files.header(KIND, started, {"storage_uri": storage_uri}) | about)


def check(folder: Path) -> None:
    """Sees to it that an export replaces nothing but an export.

    Raises:
        UserError: the folder holds something else.
    """
    if os.path.lexists(folder) and not folder.is_dir():
        raise UserError(f"{folder} is a file: choose another folder for --export")
    if not folder.is_dir() or not any(folder.iterdir()):
        return
    try:
        files.read_json(folder / "model.json", KIND)
    except UserError:
        raise UserError(f"{folder} holds something else than an export: choose a new folder for --export") from None


def description(choice: "Choice") -> dict[str, Any]:
    """What a client has to know of the model: how images are prepared, and from which score on it says pneumonia."""
    results = choice.evaluation.results
    threshold = results["threshold"]["value"]
    return {
        "regime": choice.regime,
        "seed": choice.seed,
        "dataset": results["dataset"]["fingerprint"],
        "image_size": choice.image_size,
        "resize": decoding.DESCRIPTION,
        "score_threshold": threshold,
        "threshold": float(choice.probabilities(np.array([threshold]))[0]),
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

The verdict is pneumonia where `score` is at least {score_threshold!r}, a probability of {threshold:.6f}: the threshold
was chosen on validation images, and applies to the uncalibrated score. `model.json` has the exact figures.

An image must be prepared as in training: {resize}; {image_size} px, values 0 to 255, not scaled further.

    kubectl apply -f inferenceservice.yaml

after uploading this folder to the `storageUri` in it, or on one machine

    docker run -p 8501:8501 -v "$PWD:/models/pneumonia" -e MODEL_NAME=pneumonia tensorflow/serving
    curl --data @request.json http://localhost:8501/v1/models/pneumonia:predict

`request.json` holds the first images that were predicted with the export (it is absent where there were none):
`{{"instances": [IMAGE, …]}}`, each image a list of {image_size} rows of {image_size} pixels `[GREY]`. The answer is
`{{"predictions": [{{"probability": [P], "score": [S]}}, …]}}`.
"""


def manifest(choice: "Choice", storage_uri: str) -> dict[str, Any]:
    """KServe's InferenceService (serving.kserve.io/v1beta1) for an exported model."""
    resources = {"cpu": "1", "memory": "2Gi"}
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {
            "name": "pneumonia",
            "annotations": {
                "pneumonia-benchmark/regime": choice.regime,
                "pneumonia-benchmark/dataset": choice.evaluation.results["dataset"]["fingerprint"],
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
