"""The best model of a benchmark in MLflow's registry, on request.

MLflow's own format of Keras models needs TensorFlow, which this image does not have. The Keras file itself
is registered.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from components.artifacts import failed_training, trained_model
from components.artifacts.evaluation import EvaluationRecord
from components.artifacts.names import REGIME_TITLES
from components.artifacts.trained_model import TrainedModel
from components.console import UserError, say
from components.gate.earlier import Rung
from components.record.content import Benchmark
from components.retries import TransientError
from components.tracking import names
from components.tracking.history import History, RecordedRun, champions_of_lines, line
from components.tracking.server import Server


def median(models: Sequence[EvaluationRecord]) -> EvaluationRecord:
    """The model with the median ROC AUC on validation, the lower of two; nothing is chosen on test images.

    The highest would be the luckiest of several trainings that are alike, and its ROC AUC too optimistic.
    """
    ordered = sorted(models, key=lambda own: (own["metrics"]["validation"]["roc_auc"] or 0.0, -own["seed"]))
    return ordered[(len(ordered) - 1) // 2]


def best(given: Benchmark, folders: Sequence[str | Path]) -> TrainedModel:
    """The model that is registered: of the regime with the highest ROC AUC, the median seed.

    Args:
        given: the benchmark.
        folders: of trained models of any regimes; failed trainings among them are passed over.

    Raises:
        UserError: the model is in none of them.
    """
    regime = given.results["recommendation"]["best"]
    chosen = median([own for own in given.compared.record["models"] if own["regime"] == regime])
    for folder in folders:
        if failed_training.load(folder) is None:
            for model in trained_model.load_all(folder):
                if model.training == chosen["training"]:
                    return model
    raise UserError(
        f"the model to register ({REGIME_TITLES[regime]}, seed {chosen['seed']}) is in none of the folders of models "
        "that were given: give those of this run, or do not register it"
    )


def register(opened: Server, history: History, run: str, model: TrainedModel, name: str) -> None:
    """Registers a model as `challenger`, and as `champion` too where that is its place, see `_is_champion`.

    Args:
        opened: the history.
        history: of the same.
        run: MLflow's id of the benchmark, whose models are recorded.
        model: one of them.
        name: of the registered model; it is created where there is none.

    Raises:
        UserError: the run was deleted meanwhile, or the history cannot be written.
    """
    runs = history.runs()
    benchmark = next((found for found in runs if found.id == run), None)
    if benchmark is None:
        raise UserError(
            f"{opened.place.uri} has no run {run} any more: another command has deleted it; record it again"
        )
    training = model.training
    regime, seed = training["regime"], training["seed"]
    child = next(own for own in history.models(benchmark) if (own.regime, own.seed) == (regime, seed))
    _create(opened, name)
    if benchmark.registered.get("name") == name:
        say("record", f"{name} has its model as version {benchmark.registered['version']}")
        return
    earlier = [own for own in opened.ask("search_model_versions", f"run_id='{child.id}'") if own.name == name]
    version = str(earlier[0].version if earlier else _version(opened, name, child.id, model).version)
    opened.ask("set_registered_model_alias", name, names.CHALLENGER, version)
    champion = _is_champion(opened, runs, benchmark, name)
    if champion:
        opened.ask("set_registered_model_alias", name, names.CHAMPION, version)
    # The version comes last: without it the run does not count as registered.
    opened.ask("set_tag", run, names.REGISTERED, name)
    opened.ask("set_tag", run, names.VERSION, version)
    alias = f"{names.CHALLENGER} and {names.CHAMPION}" if champion else names.CHALLENGER
    say("record", f"{REGIME_TITLES[regime]}, seed {seed}, is version {version} of {name}, as {alias}")


def _is_champion(opened: Server, runs: Sequence[RecordedRun], run: RecordedRun, name: str) -> bool:
    """Whether the model of a run is the champion in the registry.

    It is so in place of a model of the same run that was recorded earlier, and of one of the same data and recipe if
    the run is the champion there. The first one is so too, unless a training of its run failed, or the gate has found
    an alarm or could not judge it.
    """
    champion = champions_of_lines(runs).get(line(run))
    promoted = champion is not None and champion.id == run.id
    if names.CHAMPION not in opened.ask("get_registered_model", name).aliases:
        return promoted or (not run.failed and names.ALARMS in run.tags and not Rung.of(run).all)
    holder = _tags(opened, opened.ask("get_model_version_by_alias", name, names.CHAMPION).run_id)
    if holder.get(names.KEY) == run.key:
        return True
    # The tags are of the model, whose recipe is that of its regime; the line is that of its benchmark.
    return promoted and _line(opened, holder) == line(run)


def _line(opened: Server, model: Mapping[str, str]) -> tuple[str, str]:
    """The line of the benchmark of a model with these tags."""
    benchmark = _tags(opened, model.get(names.PARENT))
    return benchmark.get(names.DATASET, ""), benchmark.get(names.RECIPE, "")


def _tags(opened: Server, run: str | None) -> Mapping[str, str]:
    """The tags of a run, also of one that was deleted; none where a version has no run, or one that is gone."""
    try:
        return dict(opened.ask("get_run", run).data.tags) if run else {}
    except TransientError:
        raise
    except UserError:
        return {}


def _create(opened: Server, name: str) -> None:
    if not opened.ask("search_registered_models", f"name='{name}'"):
        try:
            opened.ask("create_registered_model", name)
        except UserError:  # another recording was quicker
            if not opened.ask("search_registered_models", f"name='{name}'"):
                raise


def _version(opened: Server, name: str, child: str, model: TrainedModel) -> Any:
    opened.ask("log_artifact", child, str(model.model_file), names.MODEL_FOLDER)
    tags = {names.REGIME: model.training["regime"], names.SEED: str(model.training["seed"])}
    source = f"{opened.ask('get_run', child).info.artifact_uri}/{names.MODEL_FOLDER}"
    return opened.ask("create_model_version", name, source, child, tags=tags)
