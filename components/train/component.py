"""Train as a step of a Kubeflow pipeline: one task for each regime, and with label budgets one for all regimes."""

from kfp.dsl import Artifact, Dataset, Input, Model, Output

from components.images import TRAIN_IMAGE
from components.parameters import LabelBudgetParameters, TrainParameters
from components.step import step

# Optional artifacts are `Input[...] = None`: see evaluate's component.

# A task takes some 60 KB of the status of a run (`pipelines.workflow_size`), so that one trains all label budgets.


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


@step(TRAIN_IMAGE)
def train_budgets(
    prepared_dataset: Input[Dataset],
    label_budgets: Output[Artifact],
    regimes: str,
    parameters: LabelBudgetParameters,
    checkpoints: str = "",
    usual: str = "",
    external_dataset: Input[Dataset] = None,
) -> None:
    """Trains classifiers on some of the patients, for several numbers of them and several draws of each number.

    Args:
        prepared_dataset: what preprocess made.
        label_budgets: for each regime the scores of the test images by each training; if a training failed, why.
        regimes: names as for train, separated by spaces, in the order to train.
        parameters: each is an input of its own.
        checkpoints: as for train.
        usual: the label budgets where `budgets` is empty.
        external_dataset: prepared external test set, of other patients; all of its images are scored too.
    """
    from dataclasses import replace

    from components.artifacts.metadata import storable
    from components.console import plain_errors
    from components.train.budget_supervision import train_budgets as run

    external = external_dataset.path if external_dataset else None
    with plain_errors():
        parameters = replace(parameters, budgets=parameters.budgets or usual)
        found = run(prepared_dataset.path, label_budgets.path, regimes.split(), parameters, checkpoints, external)
    told = {"regimes": regimes, "label_budgets": parameters.budgets, "draws": parameters.draws}
    failed = {name: f"{own.get('cause')}: {own.get('reason')}" for name, own in found.items() if own.get("cause")}
    more = {"seconds": sum(own["seconds"] for own in found.values())} | ({"failed": failed} if failed else {})
    label_budgets.metadata.update(storable(told | more))
