"""The reference: the four regimes as a user writes them with plain Keras, in its defaults.

`keras.utils.image_dataset_from_directory`, `keras.applications.MobileNetV2`, `Adam`, `fit`. It does not import this
project, and avoids everything that would make it slower: no augmentation, batch normalisation in inference mode for
pre-trained weights, optionally decoded images kept in memory.
"""

import argparse
import json
import resource
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

REGIMES = ("custom_cnn", "transfer_learning", "partial_fine_tuning", "full_fine_tuning")


def main() -> None:
    """Trains one regime on images in `DIR` and writes time, memory and ROC AUC as JSON."""
    arguments = _parser().parse_args()
    arguments.output.write_text(json.dumps(train(arguments), indent=1), encoding="utf-8")


def train(arguments: argparse.Namespace) -> dict[str, Any]:
    """Trains and scores.

    Returns:
        `train_seconds`; `peak_memory_mb` before scoring; `roc_auc` on test; `changed_roc_auc`, the mean over the
        folders of changed test images; `scoring_seconds`.
    """
    import keras  # noqa: PLC0415 (takes seconds, which --help does not need)

    keras.utils.set_random_seed(arguments.seed)
    splits = {name: _dataset(keras, arguments, name) for name in ("train", "validation", "test")}

    begun = time.perf_counter()
    model = _model(keras, arguments)
    model.fit(splits["train"], validation_data=splits["validation"], epochs=arguments.epochs, verbose=2)
    seconds = time.perf_counter() - begun
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6

    begun = time.perf_counter()
    area = _roc_auc(model, splits["test"])
    changed = [
        _roc_auc(model, _dataset(keras, arguments, f"changed/{folder.name}"))
        for folder in sorted((arguments.data / "changed").iterdir())
    ]
    return {
        "train_seconds": seconds,
        "peak_memory_mb": peak,
        "roc_auc": area,
        "changed_roc_auc": sum(changed) / len(changed),
        "scoring_seconds": time.perf_counter() - begun,
    }


def _roc_auc(model: Any, dataset: Any) -> float:
    from sklearn.metrics import roc_auc_score  # noqa: PLC0415 (likewise)

    labels = [label for _, batch in dataset for label in batch.numpy().ravel()]
    return float(roc_auc_score(labels, model.predict(dataset, verbose=0).ravel()))


def _dataset(keras: ModuleType, arguments: argparse.Namespace, split: str) -> Any:
    dataset = keras.utils.image_dataset_from_directory(
        arguments.data / split,
        label_mode="binary",
        batch_size=arguments.batch_size,
        image_size=(arguments.image_size, arguments.image_size),
        shuffle=split == "train",
        seed=arguments.seed,
        verbose=False,
    )
    return dataset.cache() if arguments.cache else dataset


def _model(keras: ModuleType, arguments: argparse.Namespace) -> Any:
    """The usual small CNN, or MobileNetV2 under a new head, compiled."""
    layers = keras.layers
    inputs = keras.Input((arguments.image_size, arguments.image_size, 3))
    if arguments.regime == "custom_cnn":
        x = layers.Rescaling(1 / 255)(inputs)
        for channels in (32, 64, 128):
            x = layers.Conv2D(channels, 3, activation="relu")(x)
            x = layers.MaxPooling2D()(x)
        x = layers.GlobalAveragePooling2D()(x)
        x = layers.Dense(64, activation="relu")(x)
        rate = 1e-3
    else:
        weights = None if arguments.weights == "none" else arguments.weights
        base = keras.applications.MobileNetV2(weights=weights, include_top=False, input_shape=inputs.shape[1:])
        base.trainable = arguments.regime != "transfer_learning"
        if arguments.regime == "partial_fine_tuning":
            for layer in base.layers[: -arguments.trainable_layers]:
                layer.trainable = False
        x = keras.applications.mobilenet_v2.preprocess_input(inputs)
        # Inference mode, as Keras's guide to fine-tuning advises: statistics of small batches would harm the weights.
        x = base(x, training=False if weights else None)
        x = layers.GlobalAveragePooling2D()(x)
        x = layers.Dropout(0.2)(x)
        rate = 1e-3 if arguments.regime == "transfer_learning" else 1e-4
    model = keras.Model(inputs, layers.Dense(1, activation="sigmoid")(x))
    model.compile(keras.optimizers.Adam(rate), loss="binary_crossentropy", metrics=["accuracy", "auc"])
    return model


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.plain_keras",
        description=main.__doc__,
        epilog="example: python -m benchmarks.plain_keras --data images --regime custom_cnn --output result.json",
    )
    add = parser.add_argument
    add(
        "--data",
        type=Path,
        required=True,
        metavar="DIR",
        help="train, validation, test and changed/* with a folder per class",
    )
    add("--regime", choices=REGIMES, required=True, metavar="NAME", help=", ".join(REGIMES))
    add("--output", type=Path, required=True, metavar="FILE", help="JSON file to write")
    add("--weights", default="imagenet", help="imagenet, none or a Keras weights file; default: %(default)s")
    add("--image-size", type=int, default=96, metavar="PX", help="default: %(default)s")
    add("--epochs", type=int, default=10, metavar="N", help="default: %(default)s")
    add("--batch-size", type=int, default=32, metavar="N", help="default: %(default)s")
    add("--trainable-layers", type=int, default=10, metavar="N", help="default: %(default)s")
    add("--seed", type=int, default=1, metavar="S", help="default: %(default)s")
    add("--cache", action="store_true", help="keep the decoded images in memory: not Keras's default, but often done")
    return parser


if __name__ == "__main__":
    main()
