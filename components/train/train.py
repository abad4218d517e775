"""Trains the models of one regime, from the prepared dataset to the saved models; `train` is the entry point."""

import gc
import hashlib
import os
from collections import defaultdict
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import keras

from components import console
from components.artifacts import files, trained_model
from components.artifacts.names import REGIMES
from components.artifacts.prepared_dataset import PreparedDataset
from components.artifacts.trained_model import TrainingRecord
from components.console import UserError
from components.parameters import RecipeParameters, TrainParameters
from components.train import checkpoint_folder, device, regimes
from components.train.checkpoint import Checkpoint
from components.train.checkpoint_folder import Place
from components.train.interruption import Interruption
from components.train.recipe import Recipe
from components.train.session import Session, speaker
from components.train.stored_features import Store, StoredFeatures
from components.train.tuning import Search

TRAINED_ON = ("train", "validation")

THREADS = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS", "TF_ENABLE_ONEDNN_OPTS")
"""Environment variables that change how sums are rounded."""


def train(
    dataset: str | Path,
    output: str | Path,
    regime: str,
    parameters: TrainParameters,
    checkpoints: str | Path = "",
) -> list[TrainingRecord]:
    """Trains one regime once for each seed and saves the models with their training records.

    A seed gives the same model, bit for bit where operations are deterministic, whether it is trained alone or after
    others. Features that do not depend on the seed (those of unaugmented images below loaded weights) are computed
    once. Their time counts in the training time of every seed, so that it is comparable with the time of a single seed;
    only the first seed also includes the start-up of TensorFlow. The peak memory is that of all seeds together.

    With a place for checkpoints, a training that was interrupted, in whatever way, continues with the same result, bit
    for bit on a CPU. SIGTERM and SIGINT save a checkpoint after the step in progress, if there are steps.

    Args:
        dataset: a prepared dataset.
        output: the folder of the trained models, made anew.
        regime: one of `names.REGIMES`.
        parameters: backbone, weights, recipe and seeds.
        checkpoints: folder of checkpoints, also of other trainings, or a URL as for `checkpoint_folder.opened`; "" for
            none.

    Returns:
        The content of `training.json` for each seed.

    Raises:
        UserError: an argument, the dataset or the weights are unusable.
    """
    recipe = recipe_of(regime, parameters)
    data = PreparedDataset.load(dataset)
    interruption = Interruption()
    with interruption.watching():
        set_up(parameters)
        key = _key(regime, parameters, data, recipe) if checkpoints else ""
        with (
            checkpoint_folder.opened(checkpoints, key, partial(console.say, f"train {regime}")) as place,
            files.new_folder(output) as folder,
            Store() as store,
        ):
            stored: dict[str, StoredFeatures] = defaultdict(lambda: StoredFeatures(store))

            def session(
                seed: int, kept: Checkpoint, own: TrainParameters, stored: dict[str, StoredFeatures], candidate: str
            ) -> Session:
                named = parameters.seeds > 1
                return Session(data, regime, Recipe.of(regime, own), seed, stored, kept, interruption, named, candidate)

            validation = data.splits["validation"]
            search = Search(regime, parameters, validation, place, store, stored, session, _train_seed)
            trainings = _train_seeds(search, regime, parameters, folder, place)
            trained_model.save_all(folder, trainings)
    return trainings


def recipe_of(regime: str, parameters: RecipeParameters) -> Recipe:
    """The recipe of a training.

    Raises:
        UserError: there is no such regime, or a value is out of range.
    """
    if regime not in REGIMES:
        raise UserError(f"there is no regime {regime!r}: choose one of {', '.join(REGIMES)}")
    return Recipe.of(regime, parameters)


def set_up(parameters: RecipeParameters) -> None:
    """Sets the device up.

    Raises:
        UserError: its GPUs cannot share a batch.
    """
    device.set_up(parameters.deterministic)
    if parameters.batch_size % device.replicas():
        raise UserError(
            f"batch size {parameters.batch_size} cannot be shared by {device.replicas()} GPUs equally: "
            "use a multiple of that"
        )


def _train_seeds(
    search: Search, regime: str, parameters: TrainParameters, folder: Path, place: Place
) -> list[TrainingRecord]:
    """Trains with every seed, or takes what an interrupted process has finished.

    Args:
        search: trains with a seed.
        regime: one of `names.REGIMES`.
        parameters: the seeds.
        folder: of the trained models.
        place: of the checkpoints.
    """
    trainings = []
    for own in range(parameters.seed, parameters.seed + parameters.seeds):
        say = partial(console.say, speaker(regime, own, parameters.seeds > 1))
        kept = place.checkpoint(own, say)
        model_folder = files.seed_folder(folder, own)
        record = kept.finished(regime, own, model_folder)
        if record is None:
            record = search.run(own, kept, model_folder)
            gc.collect()  # networks have reference cycles, and the next one needs their memory
            if own < parameters.seed + parameters.seeds - 1:
                kept.finish(model_folder, record)
                search.forget(own)
        trainings.append(record)
    costs = [record["cost"] for record in trainings]
    memory = max(cost["peak_memory_mb"] for cost in costs)
    gpu_memory = max((peak for cost in costs if (peak := cost["peak_gpu_memory_mb"]) is not None), default=None)
    for cost in costs:
        cost["peak_memory_mb"], cost["peak_gpu_memory_mb"] = memory, gpu_memory
    return trainings


def _key(regime: str, parameters: TrainParameters, data: PreparedDataset, recipe: Recipe) -> str:
    """The name of the task's place among the checkpoints; the seeds each have a folder of their own there."""
    parts = {"parameters": asdict(replace(parameters, seed=0, seeds=1))}
    return checkpoint_folder.key_of(regime, parts | depended_on(parameters.weights, data, recipe))


def depended_on(weights: str, data: PreparedDataset, recipe: Recipe) -> dict[str, Any]:
    """What results depend on besides parameters and code, for the name of a place among the checkpoints.

    Not the model and number of processors: on others a training continues, but its result is not to the bit that of
    either.
    """
    file = Path(weights)
    return {
        "recipe": recipe.as_dict(),
        "weights": hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else "",
        "dataset": data.info["fingerprint"],
        "labels": [hashlib.sha256(data.splits[name].index.to_csv().encode()).hexdigest() for name in TRAINED_ON],
        "threads": {name: os.environ.get(name, "") for name in THREADS},
        "backend": keras.backend.backend(),
        "policy": keras.config.dtype_policy().name,
        "devices": device.gpu_name() or "CPU",
    }


def _train_seed(session: Session, parameters: TrainParameters, folder: Path) -> TrainingRecord:
    """Trains with one seed and saves the model in a new folder; returns its training record."""
    started = files.now()
    network, base, trained = regimes.build(session, parameters)
    network, kept = regimes.fit(session, base, network, trained)
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
        "backbone": base.described if base else None,
        "recipe": session.recipe.as_dict(),
        "history": session.history,
        "best_epoch": kept.best_epoch,
        "highest_auc_epoch": kept.highest_auc_epoch,
        "diverged": session.diverged,
        "cost": session.cost(network, train_seconds, model_file),
        "hardware": device.hardware(),
        "deterministic": device.deterministic(parameters.deterministic),
        "dataset": session.dataset,
    }
    if session.head:
        record["head"] = session.head
    if session.resumed:
        record["resumed"] = session.resumed
    if seconds := session.checkpoint_seconds():
        record["checkpoint_seconds"] = seconds
    _say(session, record)
    return record


def _say(session: Session, record: TrainingRecord) -> None:
    """Prints how long the training took, which epoch was kept, and what to do if the training was not good enough."""
    saving = f", and {seconds:.1f} s for checkpoints" if (seconds := record.get("checkpoint_seconds")) else ""
    best = f", best epoch {record['best_epoch']}" if record["cost"]["epochs"] else ""
    session.say(f"trained in {record['cost']['train_seconds']:.1f} s{saving}{best}")
    if trained_model.best_epoch_is_last(record):
        session.say("the best epoch is the last one, so a training with more epochs may give a better model")
    if session.diverged and not session.candidate:
        session.say("the training diverged, so its results say nothing about the regime: choose a lower learning rate")
