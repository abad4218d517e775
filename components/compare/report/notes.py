"""What a reader must know before trusting the figures of this very run: cautions that its data or machines call for."""

from typing import Any

import numpy as np

from components.artifacts.names import REGIME_TITLES
from components.compare.inputs import Inputs, Model

FEW_PATIENTS = 50
"""Test patients of one class below which intervals are rough: the bootstrap then redraws only a handful of people."""


def notes(results: dict[str, Any], inputs: Inputs) -> list[str]:
    """The cautions that apply, as whole sentences.

    Args:
        results: content of `results.json`.
        inputs: what it was computed from.
    """
    found = (
        several_machines(inputs),
        _from_cache(results),
        _seeds(inputs),
        _few_patients(inputs),
        _unknown_patients(inputs),
        _no_mistakes(results),
        _diverged(inputs),
        _equal_scores(inputs),
    )
    return [note for note in found if note]


def several_machines(inputs: Inputs) -> str:
    """The caution that times cannot be compared, or nothing."""
    machines = [model.evaluation.results["training"]["hardware"] for model in inputs.models]
    if all(machine == machines[0] for machine in machines):
        return ""
    return (
        "The regimes were trained on differing hardware, so their training times and memory are not comparable; "
        "the hardware of each stands under “How to reproduce”."
    )


def _from_cache(results: dict[str, Any]) -> str:
    taken = results["run"].get("from_cache", [])
    trainings = [REGIME_TITLES[name] for name in taken if name != "dataset"]
    sentences = []
    if trainings:
        sentences.append(
            f"Taken from an earlier run by Kubeflow's cache: the training of {', '.join(trainings)}. Its time and "
            "memory were measured then, perhaps on another machine."
        )
    if "dataset" in taken:
        sentences.append("The prepared dataset was taken from an earlier run by Kubeflow's cache.")
    return " ".join(sentences)


def _seeds(inputs: Inputs) -> str:
    seeds = {regime: [model.seed for model in models] for regime, models in inputs.regimes.items()}
    if all(len(own) == 1 for own in seeds.values()):
        text = "Each regime was trained once: the intervals say what other patients would change, not another training."
        return text if len(set(map(tuple, seeds.values()))) == 1 else f"{text} The seeds differ between regimes."
    once = ", ".join(REGIME_TITLES[regime] for regime, own in seeds.items() if len(own) == 1)
    return (
        "Figures are means over the seeds of a regime, confusion counts are sums; the intervals say what other "
        "patients and another training would change."
        + (f" Trained once, so that they speak of patients only: {once}." if once else "")
    )


def _few_patients(inputs: Inputs) -> str:
    fewest = min(len(set(inputs.patients[inputs.labels == label])) for label in (0, 1))
    if fewest >= FEW_PATIENTS:
        return ""
    return f"One class has only {fewest} test patients, so the intervals are rough and probably too narrow."


def _unknown_patients(inputs: Inputs) -> str:
    unknown = inputs.dataset.info["quality"]["patient_unknown"]
    if not unknown:
        return ""
    return (
        f"Images that do not tell whom they show: {unknown:,}. Each counts as a patient of its own; where some show "
        "the same person, the intervals are too narrow."
    )


def _no_mistakes(results: dict[str, Any]) -> str:
    entries = (entry for regime in results["regimes"].values() for entry in regime["metrics"].values())
    if not any(entry["value"] in (0, 1) for entry in entries):
        return ""
    return (
        "Where a model made no mistake of a kind on these images, or decided alike on all of them, nothing shows how "
        "that varies: the interval is the exact one (Clopper and Pearson) for as many patients as the rarer class has."
    )


def _diverged(inputs: Inputs) -> str:
    # Evaluations of earlier versions do not say it.
    found = [model for model in inputs.models if model.evaluation.results["training"].get("diverged")]
    if not found:
        return ""
    return (
        f"Diverged in training, so that their figures tell nothing of the regime: {_named(found)}. Train with a lower "
        "learning rate."
    )


def _equal_scores(inputs: Inputs) -> str:
    found = [model for model in inputs.models if np.ptp(model.scores) == 0]
    if not found:
        return ""
    return (
        f"One and the same score for every test image: {_named(found)}. Such a model tells no image from another; "
        "train for more epochs, or with another learning rate."
    )


def _named(models: list[Model]) -> str:
    """The models by regime and seed."""
    return ", ".join(f"{REGIME_TITLES[model.evaluation.results['regime']]} (seed {model.seed})" for model in models)
