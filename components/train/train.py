"""Trains the models of one regime, from the prepared dataset to the saved models; `train` is the entry point."""

import gc
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import keras
import numpy as np

from components import console, machine
from components.artifacts import files, trained_model
from components.artifacts.names import REGIMES
from components.artifacts.prepared_dataset import PreparedDataset
from components.artifacts.trained_model import Backbone as BackboneName
from components.artifacts.trained_model import DatasetId, Epoch, TrainingRecord
from components.console import UserError
from components.parameters import TrainParameters
from components.train import backbones, device, folding, networks
from components.train.augmentation import RadiographAugmentation
from components.train.batches import Batches, Compute, Examples, Store, StoredFeatures, as_views, computation
from components.train.fitting import Losses, Validation, balanced_weights, clock, fit
from components.train.networks import HEAD_LAYERS, Network
from components.train.recipe import Recipe

HEAD_WARM_UP, TRAINING = "head warm-up", "training"


def train(dataset: str | Path, output: str | Path, regime: str, parameters: TrainParameters) -> list[TrainingRecord]:
    """Trains one regime once for each seed and saves the models with their training records.

    A seed gives the same model, bit for bit, whether it is trained alone or after others. Features that do not depend
    on the seed (those of unaugmented images below loaded weights) are computed once. Their time counts in the training
    time of every seed, so that it is comparable with the time of a single seed; only the first seed also includes the
    start-up of TensorFlow. The peak memory is that of all seeds together.

    Args:
        dataset: a prepared dataset.
        output: the folder of the trained models, made anew.
        regime: one of `names.REGIMES`.
        parameters: backbone, weights, recipe and seeds.

    Returns:
        The content of `training.json` for each seed.

    Raises:
        UserError: an argument, the dataset or the weights are unusable.
    """
    if regime not in REGIMES:
        raise UserError(f"there is no regime {regime!r}: choose one of {', '.join(REGIMES)}")
    recipe = Recipe(
        epochs=parameters.epochs,
        batch_size=parameters.batch_size,
        learning_rate=parameters.learning_rate,
        patience=parameters.patience,
    )
    data = PreparedDataset.load(dataset)
    device.set_up()
    if parameters.batch_size % device.replicas():
        raise UserError(
            f"batch size {parameters.batch_size} cannot be shared by {device.replicas()} GPUs equally: "
            "use a multiple of that"
        )
    with files.new_folder(output) as folder, Store() as store:
        stored: dict[str, StoredFeatures] = defaultdict(lambda: StoredFeatures(store))
        trainings: list[TrainingRecord] = []
        for own in range(parameters.seed, parameters.seed + parameters.seeds):
            session = _Session(data, regime, recipe, own, stored, parameters.seeds > 1)
            trainings.append(_train_seed(session, parameters, files.seed_folder(folder, own)))
            del session
            gc.collect()  # networks have reference cycles, and the next one needs their memory
        for training in trainings:
            training["cost"]["peak_memory_mb"] = machine.peak_memory_mb()
            training["cost"]["peak_gpu_memory_mb"] = device.peak_gpu_memory_mb()
        trained_model.save_all(folder, trainings)
    return trainings


def _train_seed(session: "_Session", parameters: TrainParameters, folder: Path) -> TrainingRecord:
    """Trains with one seed and saves the model in a new folder; returns its training record."""
    started = files.now()
    network, backbone_info, trained = _build(session, parameters)
    monitor = _fit_all(session, network, trained)
    train_seconds = session.seconds()
    folder.mkdir()
    model_file = folder / "model.keras"
    network.classifier().save(model_file)
    arguments = {"regime": session.regime} | asdict(replace(parameters, seed=session.seed))
    del arguments["seeds"]  # the record is of one seed
    record: TrainingRecord = {
        **files.header(trained_model.KIND, started, arguments),
        "regime": session.regime,
        "seed": session.seed,
        "backbone": backbone_info,
        "recipe": session.recipe.as_dict(),
        "history": session.history,
        "best_epoch": monitor.best_epoch,
        "highest_auc_epoch": monitor.highest_auc_epoch,
        "diverged": session.diverged,
        "cost": {
            "train_seconds": train_seconds,
            "epochs": sum(record["phase"] == TRAINING for record in session.history),
            "images_per_second": len(session.history) * len(session.splits["train"]) / train_seconds,
            "parameters": network.parameters,
            "trainable_parameters": network.trainable_parameters,
            "model_mb": model_file.stat().st_size / 1e6,
            "peak_memory_mb": machine.peak_memory_mb(),
            "peak_gpu_memory_mb": device.peak_gpu_memory_mb(),
        },
        "hardware": device.hardware(),
        "dataset": session.dataset,
    }
    _say(session, record)
    return record


def _say(session: "_Session", record: TrainingRecord) -> None:
    """Prints how long the training took, which epoch was kept, and what to do if the training was not good enough."""
    session.say(f"trained in {record['cost']['train_seconds']:.1f} s, best epoch {record['best_epoch']}")
    if trained_model.best_epoch_is_last(record):
        session.say("the best epoch is the last one, so a training with more epochs may give a better model")
    if session.diverged:
        session.say("the training diverged, so its results say nothing about the regime: choose a lower learning rate")


class _Session:
    """State that the phases of one training share: data, recipe, clock, history, stored features.

    Args:
        data: the prepared dataset.
        regime: one of `names.REGIMES`.
        recipe: hyperparameters.
        seed: of this training.
        stored: stored features by name, reused by the next seeds.
        named: whether progress messages name the seed.

    Attributes:
        history: one entry per epoch so far.
        loaded_weights: whether the frozen weights were loaded, so that they do not depend on the seed.
        diverged: whether the last phase diverged.
    """

    def __init__(
        self,
        data: PreparedDataset,
        regime: str,
        recipe: Recipe,
        seed: int,
        stored: dict[str, StoredFeatures],
        named: bool,
    ):
        self.regime, self.recipe, self.seed = regime, recipe, seed
        self.splits = data.splits
        self.dataset: DatasetId = {"fingerprint": data.info["fingerprint"], "image_size": data.info["image_size"]}
        self.image_size = data.info["image_size"]
        self.images = Examples(*([as_views(data.splits[name].images)] for name in ("train", "validation")))
        self.history: list[Epoch] = []
        self.loaded_weights = False
        self.diverged = False
        self._stored, self._speaker = stored, f"train {regime}{f', seed {seed}' if named else ''}"
        self._clock, self._spared = clock(), 0.0
        device.set_seed(seed)

    def seconds(self) -> float:
        """Training time so far, including the time that reused features would have taken."""
        return self._clock() + self._spared

    def say(self, message: str) -> None:
        """Prints a progress message."""
        console.say(self._speaker, message)

    def store(self, name: str, model: keras.Model, augment: Sequence[Compute], inputs: Examples) -> Examples:
        """Stores a model's outputs for the inputs, and for further, augmented views of the training inputs.

        Args:
            name: of these features; they are reused by name.
            model: computes the features; its weights depend on the seed unless `loaded_weights`.
            augment: one function from inputs to augmented inputs for each further view.
            inputs: inputs of the model.
        """
        features = self._stored[name]
        examples = features.compute(computation(model), augment, inputs, model.outputs, anew=not self.loaded_weights)
        self._spared += features.spared_seconds
        return examples

    def fit(
        self, phase: str, model: keras.Model, scored: keras.Model, examples: Examples, **settings: float
    ) -> Validation:
        """Trains one phase; the result knows its best epoch.

        Args:
            phase: `HEAD_WARM_UP` or `TRAINING`.
            model: the model to train; shares its weights with `scored`.
            scored: returns the logits of the validation examples.
            examples: inputs of both models.
            settings: epochs, learning_rate, patience.
        """
        train, validation = self.splits["train"], self.splits["validation"]
        epochs, patience = int(settings["epochs"]), int(settings["patience"])

        def report(record: Losses) -> None:
            self.history.append({"phase": phase, "seconds": self.seconds(), **record})
            self.say(
                f"{phase}: epoch {record['epoch']}/{epochs}, loss {record['train_loss']:.3f}, "
                f"validation loss {record['validation_loss']:.3f}, ROC AUC {record['validation_auc']:.4f}, "
                f"{self.seconds():.0f} s"
            )

        labels, patients = validation.labels, validation.index["patient"].to_numpy()
        monitor = Validation(scored, examples.validation, labels, patients, balanced_weights(labels), patience)
        batches = Batches(
            examples.train, train.labels, balanced_weights(train.labels), self.recipe.batch_size, self.seed
        )
        # Only the last phase counts, since it can recover from an earlier one.
        self.diverged = fit(model, batches, monitor, epochs, settings["learning_rate"], self.recipe, report)
        return monitor


def _build(session: _Session, parameters: TrainParameters) -> tuple[Network, BackboneName | None, set[str]]:
    """Builds the network; also returns its backbone for the record, and the names of the layers that are trained."""
    if session.regime == "custom_cnn":
        return networks.custom_cnn(session.image_size, session.recipe), None, set()
    base = backbones.build_backbone(parameters.backbone, parameters.weights, session.image_size)
    trained = networks.trainable_layers(base, session.regime, parameters.trainable_layers)
    # Batch statistics of photographs suit radiographs; those of fractals and initial ones do not.
    if base.weights in ("none", "bundled"):
        images = _spread(session.images.train[0][0], folding.CALIBRATION_IMAGES)
        folding.calibrate(base.model, keras.ops.convert_to_numpy(networks.backbone_front(base)(images)))
    session.loaded_weights = base.weights != "none"
    network = networks.on_backbone(base, trained, session.recipe)
    return network, {"name": base.name, "weights": base.weights}, trained | HEAD_LAYERS


def _spread(images: np.ndarray, count: int) -> np.ndarray:
    """Evenly spaced images of the training split, which is ordered by class."""
    return images[np.linspace(0, len(images) - 1, min(count, len(images))).round().astype(int)]


def _fit_all(session: _Session, network: Network, trained: set[str]) -> Validation:
    """Trains the network in place in the phases of its regime; the result knows the best epoch of the last phase."""
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
        features = _augmented_features(session, network, pooled)
    else:
        crossing = networks.cut(body, trained)
        examples = _augmented_features(session, network, crossing)
        model = scored = keras.Model(crossing, body.output)
        features = examples
        if session.regime == "partial_fine_tuning":
            unchanged = [lambda batch: batch] * (recipe.stored_views - 1)  # the views are augmented already
            features = session.store("pooled", keras.Model(crossing, pooled), unchanged, examples)
    networks.set_feature_scale(body, features.train[0][0])
    head_rate = rate * recipe.head_factor
    if session.regime == "transfer_learning":
        return session.fit(TRAINING, head, head, features, learning_rate=head_rate, **limits)
    session.fit(HEAD_WARM_UP, head, head, features, learning_rate=head_rate, epochs=recipe.warm_up_epochs, patience=0)
    return session.fit(TRAINING, model, scored, examples, learning_rate=rate * recipe.fine_tuning_factor, **limits)


def _augmented_features(session: _Session, network: Network, tensors: list[keras.KerasTensor]) -> Examples:
    """Stores features of all images and, for training images, of further views that are augmented at random."""
    below = keras.Model(network.network.input, tensors)
    model = keras.Model(network.front.input, below(network.front.output))
    recipe = session.recipe
    augmentation = RadiographAugmentation(recipe, session.seed, recipe.stored_strength)
    augment = computation(keras.Sequential([keras.Input(model.input_shape[1:]), augmentation]), training=True)
    session.say(f"storing features of {recipe.stored_views} views of the training images")
    return session.store("features", model, [augment] * (recipe.stored_views - 1), session.images)
