"""Train as a step of a Kubeflow pipeline: one task for each regime."""

from kfp.dsl import Dataset, Input, Model, Output

from components.images import TRAIN_IMAGE
from components.step import step


@step(TRAIN_IMAGE)
def train(
    prepared_dataset: Input[Dataset],
    model: Output[Model],
    regime: str,
    backbone: str = "MobileNetV2",
    weights: str = "imagenet",
    epochs: int = 20,
    batch_size: int = 32,
    learning_rate: float = 0.001,
    trainable_layers: int = 10,
    patience: int = 5,
    seed: int = 1,
    seeds: int = 3,
):
    """Trains one classifier of chest X-rays in one of four ways, once for each seed.

    Args:
        prepared_dataset: what preprocess made; only its train and validation splits are read.
        model: the trained model of each seed and the record of its training.
        regime: "custom_cnn", "transfer_learning", "partial_fine_tuning" or "full_fine_tuning".
        backbone: "MobileNetV2", "MobileNetV2-0.5", "EfficientNetB0", "ResNet50" or "DenseNet121"; the custom CNN has
            none.
        weights: "imagenet", "bundled", "none" (random) or the path of a Keras weights file of the backbone
            without its top.
        epochs: at most so many passes over the training images.
        batch_size: images per step.
        learning_rate: peak learning rate, times a factor of the recipe for each way of training.
        trainable_layers: how many of the backbone's last layers partial fine-tuning trains.
        patience: epochs without a better validation ROC AUC before training stops; 0 trains all epochs.
        seed: the first seed, of weights, order and augmentation.
        seeds: how many seeds, each one more than the last.
    """
    from components import process

    process.keep_freed_memory()
    from components.artifacts.metadata import storable
    from components.console import plain_errors
    from components.train.train import train as run

    with plain_errors():
        trainings = run(
            prepared_dataset.path,
            model.path,
            regime,
            backbone,
            weights,
            epochs,
            batch_size,
            learning_rate,
            trainable_layers,
            patience,
            seed,
            seeds,
        )
    costs = trainings[0]["cost"]
    model.metadata.update(storable({"framework": "keras", "regime": regime, "seed": seed, "seeds": seeds} | costs))
