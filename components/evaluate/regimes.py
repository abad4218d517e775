"""Evaluates the models of all regimes and the baseline, one after another, so that TensorFlow starts once."""

from collections.abc import Mapping
from pathlib import Path

from components.artifacts import failed_training, files
from components.artifacts.evaluation import EvaluationRecord
from components.artifacts.names import BASELINE
from components.console import UserError
from components.evaluate.baseline import evaluate_floor
from components.evaluate.failures import passed_on
from components.parameters import BaselineParameters, EvaluateParameters


def evaluate_all(
    dataset: str | Path,
    models: Mapping[str, str | Path],
    output: str | Path,
    parameters: EvaluateParameters,
    external: str | Path | None = None,
) -> dict[str, list[EvaluationRecord]]:
    """Evaluates the models of each regime as `evaluate.evaluate` does, and the baseline.

    The output has a folder for each regime and one for the baseline. Where the training of a regime failed, its folder
    has nothing but `failed.json`.

    Args:
        dataset: folder of the prepared dataset.
        models: {regime: folder of its trained models}.
        output: folder of the evaluations, made anew.
        parameters: as for `evaluate.evaluate`.
        external: folder of a second prepared dataset, all of whose images are scored too.

    Returns:
        {regime, or `names.BASELINE`: the content of `evaluation.json` for each seed}, without failed trainings.

    Raises:
        UserError: the dataset or models are missing, or do not fit each other, or are of another regime.
    """
    with files.new_folder(output) as folder:
        # First, since its record has the largest memory that the process has taken so far.
        baseline = BaselineParameters(target_sensitivity=parameters.target_sensitivity)
        found = {BASELINE: [evaluate_floor(dataset, folder / BASELINE, baseline, external)]}
        for regime, trained in models.items():
            if failure := failed_training.load(trained):
                _check(regime, failure["regime"], trained)
            if passed_on(trained, folder / regime):
                continue
            from components.evaluate.evaluate import evaluate  # noqa: PLC0415 (TensorFlow, only for a model)

            found[regime] = evaluate(dataset, trained, folder / regime, parameters, external)
            _check(regime, found[regime][0]["regime"], trained)
    return {regime: found[regime] for regime in (*models, BASELINE) if regime in found}


def _check(regime: str, found: str, folder: str | Path) -> None:
    if found != regime:
        raise UserError(f"{folder} is of {found}, but was given as {regime}: give every regime its own models")
