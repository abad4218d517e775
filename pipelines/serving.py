"""A trained model as TensorFlow Serving and KServe load it."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml

from components.artifacts import files

if TYPE_CHECKING:
    from pipelines.predict import Choice

VERSION = "1"
"""TensorFlow Serving takes the highest number below the model's folder."""


def export(network: Any, choice: "Choice", folder: Path, storage_uri: str, images: list[np.ndarray]) -> None:
    """Writes the model with its calibration inside, the manifest to serve it, and a request.

    In the folder: `1/` (a SavedModel that takes uint8 (N, H, W, 1) and gives `probability` and `score`, float32
    (N, 1)), `inferenceservice.yaml` for KServe, and, where there are images, `request.json` for
    `POST /v1/models/pneumonia:predict`.

    Args:
        network: the Keras model.
        choice: what is known of it.
        folder: made anew.
        storage_uri: where KServe will find the folder, for example `gs://bucket/pneumonia` or `pvc://claim/path`.
        images: uint8 (H, W), for the request.
    """
    import keras  # noqa: PLC0415 (who imports this module for its manifest need not wait)

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
