"""Train as a step of a Kubeflow pipeline: one task for each regime."""

from kfp.dsl import Dataset, Input, Model, Output

from components.images import TRAIN_IMAGE
from components.parameters import TrainParameters
from components.step import step


@step(TRAIN_IMAGE)
def train(
    prepared_dataset: Input[Dataset],
    model: Output[Model],
    regime: str,
    parameters: TrainParameters,
    checkpoints: str = "",
) -> None:
    """Trains one classifier of chest X-rays in one of four ways, once for each seed.

    Args:
        prepared_dataset: what preprocess made; only its train and validation splits are read.
        model: the trained model of each seed and the record of its training; if it failed, why.
        regime: "custom_cnn", "transfer_learning", "partial_fine_tuning" or "full_fine_tuning".
        parameters: each is an input of its own.
        checkpoints: folder, or URL of an object store, where an interrupted training continues; empty for none.
    """
    from components.artifacts.metadata import storable
    from components.console import plain_errors
    from components.train.supervision import train as run

    with plain_errors():
        found = run(prepared_dataset.path, model.path, regime, parameters, checkpoints)
    told = {"framework": "keras", "regime": regime, "seed": parameters.seed, "seeds": parameters.seeds}
    more = found[0]["cost"] if isinstance(found, list) else {"failed": found["cause"], "reason": found["reason"]}
    model.metadata.update(storable(told | more))
