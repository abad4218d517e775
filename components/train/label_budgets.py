"""Trains one regime on fewer and fewer labelled patients; `train_budgets` is the entry point."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd

from components import console
from components.artifacts import external_test, files, label_budgets
from components.artifacts.label_budgets import LabelBudgetsRecord
from components.artifacts.prepared_dataset import PreparedDataset
from components.console import Say
from components.parameters import BUDGETS, LabelBudgetParameters, described
from components.train import checkpoint_folder, device, subsets
from components.train.budget_training import Job, Result, Trainer
from components.train.checkpoint_folder import Place
from components.train.interruption import Interruption
from components.train.stored_features import Store
from components.train.subsets import Subset
from components.train.train import depended_on, recipe_of, set_up

RESULT = "result"
"""Name of the file that keeps a finished training until the others are finished too."""


def train_budgets(
    dataset: str | Path,
    output: str | Path,
    regime: str,
    parameters: LabelBudgetParameters,
    checkpoints: str | Path = "",
    external: str | Path | None = None,
    keeping: Callable[[str], object] | None = None,
) -> LabelBudgetsRecord:
    """Trains one regime on every label budget and draw, and saves the scores of the test images.

    Draw d is trained with the seed `parameters.seed` + d - 1. Below loaded weights, features of frozen layers are
    computed once for all trainings.

    With a place for checkpoints, trainings that are finished are kept there until all are, and one that was interrupted
    continues, with the same result, bit for bit on a CPU.

    Args:
        dataset: a prepared dataset.
        output: the folder of the result, made anew.
        regime: one of `names.REGIMES`.
        parameters: label budgets, draws and all that trainings depend on.
        checkpoints: as for `train.train`.
        external: a second prepared dataset, all of whose images are scored too.
        keeping: gets the name of the place among the checkpoints, which is then kept at the end with what is finished.

    Returns:
        The content of `label_budgets.json`.

    Raises:
        UserError: an argument, a dataset or the weights are unusable.
    """
    started, recipe = files.now(), recipe_of(regime, parameters)
    data = PreparedDataset.load(dataset)
    elsewhere = external_test.load(external, data)
    say = partial(console.say, f"label budgets {regime}")
    interruption = Interruption()
    with interruption.watching():
        set_up(parameters)
        budgets = BUDGETS.read(parameters.budgets or BUDGETS.usual)
        wanted, left_out = subsets.planned(data, budgets, parameters.draws, parameters.seed)
        for budget, reason in left_out.items():
            say(f"there is no training with {budget} patients, since {reason}")
        test = [data.splits["test"], *(elsewhere.splits.values() if elsewhere else ())]
        job = Job(data, [split.images for split in test], regime, recipe, parameters, interruption, say)
        key = _key(job, elsewhere) if checkpoints else ""
        with (
            checkpoint_folder.opened(checkpoints, key, say, keep=bool(keeping)) as place,
            files.new_folder(output) as folder,
            Store() as store,
        ):
            if keeping and place.folder:  # that another process has locked is not this one's to remove
                keeping(key)
            results = _results(job, wanted, place, store)
            record = _record(job, results, left_out, elsewhere, started)
            label_budgets.save(folder, record, _images(data, elsewhere), [result["scores"] for result in results])
    return record


def _results(job: Job, wanted: Sequence[Subset], place: Place, store: Store) -> list[Result]:
    """Trains on every subset, or takes what an interrupted process has finished."""
    shared = place.checkpoint("shared", job.say)
    trainer = Trainer(job, shared, store)
    results = []
    for number, subset in enumerate(wanted, 1):
        name = f"budget-{subset.budget}-draw-{subset.draw}"
        kept, finished = place.checkpoint(name, job.say), place.checkpoint(f"{name}-finished", job.say)
        result = _valid(finished.load(RESULT), job, subset)
        taken = result is not None
        if result is None:
            result = trainer.train(subset, kept)
            finished.save(RESULT, cast(Mapping[str, Any], result))
            kept.remove()
        results.append(result)
        _tell(job.say, result, f"({number} of {len(wanted)})", taken)
    shared.remove()  # it is large, and no training is left that needs it
    return results


def _valid(found: Mapping[str, Any] | None, job: Job, subset: Subset) -> Result | None:
    """What was kept of a training; None if it is of another one."""
    if found is None:
        return None
    try:
        own = [found["training"][name] for name in ("budget", "draw")] == [subset.budget, subset.draw]
        whole = found["scores"].shape == (sum(map(len, job.test)),) and found.keys() == Result.__annotations__.keys()
    except (KeyError, TypeError, AttributeError):
        return None
    return cast(Result, found) if own and whole else None


def _tell(say: Say, result: Result, counted: str, taken: bool) -> None:
    training = result["training"]
    auc = training["validation_auc"]
    told = f"ROC AUC {auc:.4f} on validation" if auc is not None else "no scores"
    diverged = ", diverged" if training["diverged"] else ""
    how = "taken from the checkpoints" if taken else f"{result['elapsed']:.1f} s"
    say(f"{training['budget']} patients, draw {training['draw']} {counted}: {told}{diverged}, {how}")


def _key(job: Job, elsewhere: PreparedDataset | None) -> str:
    """The name of the place among the checkpoints. Every training has a folder of its own there.

    So it depends neither on the budgets nor on the number of draws, but on the first seed.
    """
    every = asdict(job.parameters)
    parts = {
        "parameters": {name: value for name, value in every.items() if name not in ("budgets", "draws")},
        "external": elsewhere.info["fingerprint"] if elsewhere else "",
    }
    known = depended_on(job.parameters.weights, job.data, job.recipe)
    return checkpoint_folder.key_of(job.regime, {"of": "label budgets"} | parts | known)


def _images(data: PreparedDataset, elsewhere: PreparedDataset | None) -> pd.DataFrame:
    """The test images, in the order of the scores."""
    tables = [data.splits["test"].index.assign(split="test")]
    tables += [split.index.assign(split="external") for split in (elsewhere.splits.values() if elsewhere else ())]
    return pd.concat(tables, ignore_index=True)


def _record(
    job: Job,
    results: Sequence[Result],
    left_out: dict[str, str],
    elsewhere: PreparedDataset | None,
    started: datetime,
) -> LabelBudgetsRecord:
    own = described(LabelBudgetParameters)
    arguments = {own[name].pipeline_name: value for name, value in asdict(job.parameters).items()}
    shared = max((result["shared_seconds"] for result in results), default=0.0)
    return {
        **files.header(label_budgets.KIND, started, {"regime": job.regime, **arguments}),
        "regime": job.regime,
        "backbone": next((result["backbone"] for result in results if result["backbone"]), None),
        "dataset": {"fingerprint": job.data.info["fingerprint"], "image_size": job.data.info["image_size"]},
        "external": external_test.described(elsewhere) if elsewhere else None,
        "hardware": device.hardware(),
        "patients": subsets.total(job.data),
        "images": sum(subsets.counted(job.data)[1].values()),  # type: ignore[arg-type]
        "left_out": left_out,
        "trainings": [result["training"] for result in results],
        "seconds": shared + sum(result["elapsed"] for result in results),
        "shared_seconds": shared,
        "peak_memory_mb": float(np.max([0.0, *(result["peak_memory_mb"] for result in results)])),
    }
