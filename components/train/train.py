"""Training of one regime, from the prepared dataset to the saved model: read `train` from top to bottom."""

from pathlib import Path
from typing import Any

import keras
import numpy as np

from components import console, machine
from components.artifacts import files, trained_model
from components.artifacts.names import REGIMES
from components.artifacts.prepared_dataset import PreparedDataset
from components.console import UserError
from components.train import backbones, device, folding, networks
from components.train.augmentation import RadiographAugmentation
from components.train.batches import Batches, Examples, Store, as_views, computation, stored
from components.train.fitting import Validation, balanced_weights, clock, fit
from components.train.networks import HEAD_LAYERS, Network
from components.train.recipe import Recipe

HEAD_WARM_UP, TRAINING = "head warm-up", "training"


def train(
    dataset: str | Path,
    output: str | Path,
    regime: str,
    backbone: str = "MobileNetV2",
    weights: str = "imagenet",
    epochs: int = 20,
    batch_size: int = 32,
    learning_rate: float = 1e-3,
    trainable_layers: int = 10,
    patience: int = 5,
    seed: int = 1,
) -> dict[str, Any]:
    """Trains one regime and saves the model with the story of its training.

    Args:
        dataset: a prepared dataset.
        output: the trained model's folder, made anew.
        regime: one of `names.REGIMES`.
        backbone: one of `names.BACKBONES`; the custom CNN has none.
        weights: "imagenet", "bundled", "none" or the path of a Keras weights file of the backbone without its top.
        epochs: at most so many passes over the training images.
        batch_size: images a step.
        learning_rate: peak learning rate, times a factor of the recipe for each way of training.
        trainable_layers: how many of the backbone's last layers partial fine-tuning trains.
        patience: epochs without a better validation ROC AUC before training stops; 0 trains all epochs.
        seed: of weights, order and augmentation.

    Returns:
        The content of `training.json`.

    Raises:
        UserError: an argument, the dataset or the weights are unusable.
    """
    started = files.now()
    arguments = {name: value for name, value in locals().items() if name not in ("dataset", "output", "started")}
    if regime not in REGIMES:
        raise UserError(f"there is no regime {regime!r}: choose one of {', '.join(REGIMES)}")
    recipe = Recipe(epochs=epochs, batch_size=batch_size, learning_rate=learning_rate, patience=patience)
    data = PreparedDataset.load(dataset)
    device.set_up(seed)
    if batch_size % device.replicas():
        raise UserError(
            f"batch size {batch_size} cannot be shared by {device.replicas()} GPUs equally: use a multiple of that"
        )

    session = _Session(data, regime, recipe, seed)
    network, backbone_info, trained = _build(session, backbone, weights, trainable_layers)
    with Store() as store:
        best_epoch = _fit_all(session, network, trained, store)
    train_seconds = session.seconds()

    with files.new_folder(output) as folder:
        model_file = folder / "model.keras"
        network.classifier().save(model_file)
        training = files.header(trained_model.KIND, started, arguments) | {
            "regime": regime,
            "seed": seed,
            "backbone": backbone_info,
            "recipe": recipe.as_dict(),
            "history": session.history,
            "best_epoch": best_epoch,
            "cost": {
                "train_seconds": train_seconds,
                "epochs": sum(record["phase"] == TRAINING for record in session.history),
                "images_per_second": len(session.history) * len(data.splits["train"]) / train_seconds,
                "peak_memory_mb": machine.peak_memory_mb(),
                "peak_gpu_memory_mb": device.peak_gpu_memory_mb(),
                "parameters": network.parameters,
                "trainable_parameters": network.trainable_parameters,
                "model_mb": model_file.stat().st_size / 1e6,
            },
            "hardware": device.hardware(),
            "dataset": {"fingerprint": data.info["fingerprint"], "image_size": data.info["image_size"]},
        }
        trained_model.save(folder, training)
    session.say(f"trained in {train_seconds:.1f} s, best epoch {best_epoch}")
    return training


class _Session:
    """What the phases of one training share: data, recipe, clock, history."""

    def __init__(self, data: PreparedDataset, regime: str, recipe: Recipe, seed: int):
        self.regime, self.recipe, self.seed = regime, recipe, seed
        self.splits = data.splits
        self.image_size: int = data.info["image_size"]
        self.images = Examples(*([as_views(data.splits[name].images)] for name in ("train", "validation")))
        self.history: list[dict[str, Any]] = []
        self.seconds = clock()

    def say(self, message: str) -> None:
        console.say(f"train {self.regime}", message)

    def fit(self, phase: str, model: keras.Model, scored: keras.Model, examples: Examples, **settings: float) -> int:
        """Trains one phase; gives its best epoch.

        Args:
            phase: HEAD_WARM_UP or TRAINING.
            model: is trained; its weights are those of `scored`.
            scored: gives the logits of the validation examples.
            examples: inputs of both.
            settings: epochs, learning_rate, patience.
        """
        train, validation = self.splits["train"], self.splits["validation"]
        epochs, patience = int(settings["epochs"]), int(settings["patience"])

        def report(record: dict[str, Any]) -> None:
            self.history.append({"phase": phase, "seconds": self.seconds()} | record)
            self.say(
                f"{phase}: epoch {record['epoch']}/{epochs}, loss {record['train_loss']:.3f}, "
                f"validation loss {record['validation_loss']:.3f}, ROC AUC {record['validation_auc']:.4f}, "
                f"{self.seconds():.0f} s"
            )

        monitor = Validation(
            scored, examples.validation, validation.labels, balanced_weights(validation.labels), patience
        )
        batches = Batches(
            examples.train, train.labels, balanced_weights(train.labels), self.recipe.batch_size, self.seed
        )
        fit(model, batches, monitor, epochs, settings["learning_rate"], self.recipe, report)
        return monitor.best_epoch


def _build(
    session: _Session, backbone: str, weights: str, trainable_layers: int
) -> tuple[Network, dict[str, str] | None, set[str]]:
    """The network, which backbone with which weights is in it, and the names of its layers that are trained."""
    if session.regime == "custom_cnn":
        return networks.custom_cnn(session.image_size, session.recipe), None, set()
    base = backbones.build_backbone(backbone, weights, session.image_size)
    trained = networks.trainable_layers(base, session.regime, trainable_layers)
    # Statistics of photographs fit radiographs, those of fractals or of nothing do not.
    if base.weights in ("none", "bundled"):
        images = _spread(session.images.train[0][0], folding.CALIBRATION_IMAGES)
        folding.calibrate(base.model, keras.ops.convert_to_numpy(networks.backbone_front(base)(images)))
    network = networks.on_backbone(base, trained, session.recipe)
    return network, {"name": base.name, "weights": base.weights}, trained | HEAD_LAYERS


def _spread(images: np.ndarray, count: int) -> np.ndarray:
    """Some images from all over the training split, whose order is by class."""
    return images[np.linspace(0, len(images) - 1, min(count, len(images))).round().astype(int)]


def _fit_all(session: _Session, network: Network, trained: set[str], store: Store) -> int:
    """Trains the network in place, in the phases of its regime; gives the best epoch of the last phase."""
    recipe, body = session.recipe, network.network
    image = keras.Input(network.front.input_shape[1:])
    on_images = keras.Sequential([image, RadiographAugmentation(recipe, session.seed), network.front, body])
    rate, limits = recipe.learning_rate, {"epochs": recipe.epochs, "patience": recipe.patience}
    if session.regime == "custom_cnn":
        rate *= recipe.from_scratch_factor
        return session.fit(TRAINING, on_images, network.logits(), session.images, learning_rate=rate, **limits)

    pooled = networks.cut(body, HEAD_LAYERS)
    head = keras.Model(pooled, body.output)
    if session.regime == "full_fine_tuning":
        examples, model, scored = session.images, on_images, network.logits()
        features = _augmented_features(session, network, pooled, store)
    else:
        crossing = networks.cut(body, trained)
        examples = _augmented_features(session, network, crossing, store)
        model = scored = keras.Model(crossing, body.output)
        features = examples
        if session.regime == "partial_fine_tuning":
            features = _features(keras.Model(crossing, pooled), examples, store)
    networks.set_feature_scale(body, features.train[0][0])
    head_rate = rate * recipe.head_factor
    if session.regime == "transfer_learning":
        return session.fit(TRAINING, head, head, features, learning_rate=head_rate, **limits)
    session.fit(HEAD_WARM_UP, head, head, features, learning_rate=head_rate, epochs=recipe.warm_up_epochs, patience=0)
    return session.fit(TRAINING, model, scored, examples, learning_rate=rate * recipe.fine_tuning_factor, **limits)


def _augmented_features(
    session: _Session,
    network: Network,
    tensors: list[keras.KerasTensor],
    store: Store,
) -> Examples:
    """Features of the images as they are and, for training, of further views of them, each augmented at random."""
    below = keras.Model(network.network.input, tensors)
    model = keras.Model(network.front.input, below(network.front.output))
    plain = computation(model)
    augmentation = RadiographAugmentation(session.recipe, session.seed, session.recipe.stored_strength)
    augment = computation(keras.Sequential([keras.Input(model.input_shape[1:]), augmentation]), training=True)
    views = [plain] + [lambda batch: plain(augment(batch))] * (session.recipe.stored_views - 1)
    session.say(f"storing features of {len(views)} views of the training images")
    return Examples(
        stored(views, session.images.train, model.outputs, store),
        stored([plain], session.images.validation, model.outputs, store),
    )


def _features(model: keras.Model, examples: Examples, store: Store) -> Examples:
    """Features computed from stored ones, view by view."""
    plain = computation(model)
    return Examples(
        stored([plain] * len(examples.train[0]), examples.train, model.outputs, store),
        stored([plain], examples.validation, model.outputs, store),
    )
