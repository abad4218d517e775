"""Trains several regimes on label budgets, one after another, each in a process of its own as `supervision` has it."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from components import console
from components.artifacts import files, label_budgets
from components.artifacts.failed_training import FailedTraining
from components.artifacts.label_budgets import LabelBudgets, LabelBudgetsRecord
from components.artifacts.names import REGIMES
from components.console import UserError
from components.parameters import LabelBudgetParameters
from components.train import checkpoint_folder
from components.train.supervision import supervised

Result = LabelBudgetsRecord | FailedTraining


def train_budgets(
    dataset: str | Path,
    output: str | Path,
    regimes: Sequence[str],
    parameters: LabelBudgetParameters,
    checkpoints: str | Path = "",
    external: str | Path | None = None,
) -> Mapping[str, Result]:
    """Trains each regime as `label_budgets.train_budgets` does, which has the other arguments.

    A regime whose training fails does not keep the next ones from being trained. The checkpoints of a regime that has
    finished are kept until all have, so that a task that is made again does not train it again.

    Args:
        dataset: a prepared dataset.
        output: the folder of the results, made anew, with a folder for each regime.
        regimes: names out of `names.REGIMES`, in the order to train.
        parameters: label budgets, draws and all that trainings depend on.
        checkpoints: as for `train.train`.
        external: a second prepared dataset, all of whose images are scored too.

    Returns:
        {regime: the content of its `label_budgets.json`; or why its training failed, which is then in its folder}.

    Raises:
        UserError: a regime is unknown or named twice, or there is none.
        SystemExit: after SIGTERM, as for `supervision.train`; no further regime is trained.
        KeyboardInterrupt: after SIGINT, likewise.
    """
    _check(regimes)
    started, more = files.now(), {"external": str(external) if external else None}
    found: dict[str, Result] = {}
    places = {}
    with files.new_folder(output) as folder:
        for regime in regimes:
            own, last = folder / regime, regime == regimes[-1]
            ended = supervised("label budgets", dataset, own, regime, parameters, checkpoints, more, last)
            found[regime] = ended.failure or LabelBudgets.load(own).record
            places[regime] = ended.place
        label_budgets.save_index(folder, regimes, started)
    # Where one has failed, what the others have finished is needed when the task is made again.
    if all("cause" not in result for result in found.values()):
        for regime, place in places.items():
            if place:
                checkpoint_folder.remove(checkpoints, place, partial(console.say, f"label budgets {regime}"))
    return found


def _check(regimes: Sequence[str]) -> None:
    unknown = [name for name in regimes if name not in REGIMES]
    if unknown or not regimes or len(set(regimes)) < len(regimes):
        raise UserError(
            f"the regimes are {' '.join(regimes)!r}, but must be one or several of {', '.join(REGIMES)}, each once"
        )
