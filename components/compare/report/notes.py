"""Cautions that apply to the results of this run, because of its data, its seeds or its machines."""

from components.artifacts.comparison import Findings
from components.artifacts.names import REGIME_TITLES
from components.artifacts.trained_model import best_epoch_is_last
from components.compare.inputs import Inputs, Model
from components.compare.report import failures, seen_patients, tuning

FEW_PATIENTS = 50
"""With fewer test patients in a class intervals are rough: the bootstrap then resamples only a handful of people."""


def notes(findings: Findings, inputs: Inputs) -> list[str]:
    """The cautions that apply, as whole sentences.

    Args:
        findings: numbers of the comparison.
        inputs: what they were computed from.
    """
    found = (
        several_machines(inputs),
        _from_cache(findings),
        tuning.cost_note(findings),
        _resumed(inputs),
        _not_deterministic(inputs),
        _seeds(inputs, failures.compared(findings)),
        seen_patients.warning(findings),
        _few_patients(inputs),
        _unknown_patients(inputs),
        _no_mistakes(findings),
        _diverged(inputs),
        _equal_scores(inputs),
        _last_epoch(inputs),
    )
    return [note for note in found if note]


def several_machines(inputs: Inputs) -> str:
    """The caution that times cannot be compared, or nothing."""
    machines = [model.record["training"]["hardware"] for model in inputs.models]
    if all(machine == machines[0] for machine in machines):
        return ""
    return (
        "The regimes were trained on different hardware, so their training times and memory are not comparable; "
        "the hardware of each is listed under “How to reproduce”."
    )


def _from_cache(findings: Findings) -> str:
    taken = findings["run"]["from_cache"]
    trainings = [REGIME_TITLES[name] for name in taken if name != "dataset"]
    sentences = []
    if trainings:
        sentences.append(
            f"Made before this run was started or continued: the training of {', '.join(trainings)}. Its time and "
            "memory were measured then, perhaps on another machine."
        )
    if "dataset" in taken:
        sentences.append("The prepared dataset was made before this run was started or continued.")
    return " ".join(sentences)


def _resumed(inputs: Inputs) -> str:
    found = [model for model in inputs.models if model.record["training"].get("resumed")]
    if not found:
        return ""
    return (
        f"Interrupted and continued from a checkpoint: the training of {_named(found)}. On the CPU of one machine that "
        "changes no result; the time is that of the parts, without what an interruption lost and with compilation "
        "counted again."
    )


def _not_deterministic(inputs: Inputs) -> str:
    # The baseline and evaluations of earlier versions have no entry for it.
    found = [model for model in inputs.models if model.record["training"].get("deterministic") is False]
    if not found:
        return ""
    return (
        f"Trained on a GPU with operations whose rounding varies: {_named(found)}. The same seed does not give exactly "
        "the same scores again there; with --deterministic it does, more slowly."
    )


def _seeds(inputs: Inputs, compared: str) -> str:
    seeds = {regime: [model.seed for model in models] for regime, models in inputs.regimes.items()}
    if all(len(own) == 1 for own in seeds.values()):
        text = (
            f"Each {compared}regime was trained once: the intervals include the variation between patients, but not "
            "that between trainings."
        )
        return text if len(set(map(tuple, seeds.values()))) == 1 else f"{text} The seeds differ between regimes."
    once = ", ".join(REGIME_TITLES[regime] for regime, own in seeds.items() if len(own) == 1)
    return (
        "Values are means over the seeds of a regime, confusion counts are sums; the intervals include the variation "
        "between patients and between seeds."
        + (f" Trained once, so that their intervals include patients only: {once}." if once else "")
    )


def _few_patients(inputs: Inputs) -> str:
    fewest = inputs.fewest_patients
    if fewest >= FEW_PATIENTS:
        return ""
    return f"One class has only {fewest} test patients, so the intervals are rough and probably too narrow."


def _unknown_patients(inputs: Inputs) -> str:
    unknown = inputs.dataset.info["quality"]["patient_unknown"]
    if not unknown:
        return ""
    return (
        f"Images without a known patient: {unknown:,}. Each counts as a separate patient; if some are of the same "
        "person, the intervals are too narrow."
    )


def _no_mistakes(findings: Findings) -> str:
    entries = (entry for regime in findings["regimes"].values() for entry in regime["metrics"].values())
    if not any(entry["value"] in (0, 1) for entry in entries):
        return ""
    return (
        "Where a model made no mistake of a kind on these images, or gave all of them the same decision, resampling "
        "shows no variation: the interval is then the exact one (Clopper and Pearson) for as many patients as the "
        "rarer class has."
    )


def _diverged(inputs: Inputs) -> str:
    # Evaluations of earlier versions have no entry for it.
    found = [model for model in inputs.models if model.record["training"].get("diverged")]
    if not found:
        return ""
    return (
        f"Diverged in training, so their results say nothing about the regime: {_named(found)}. Train with a lower "
        "learning rate."
    )


def _equal_scores(inputs: Inputs) -> str:
    found = [model for model in inputs.models if model.has_equal_scores]
    if not found:
        return ""
    return (
        f"The same score for every test image: {_named(found)}. Such a model does not distinguish the images; train "
        "for more epochs, or with another learning rate."
    )


def _last_epoch(inputs: Inputs) -> str:
    found = [model for model in inputs.models if best_epoch_is_last(model.record["training"])]
    if not found:
        return ""
    return f"The best epoch was the last one, so a training with more epochs may give a better model: {_named(found)}."


def _named(models: list[Model]) -> str:
    """The models by regime and seed."""
    return ", ".join(f"{REGIME_TITLES[model.regime]} (seed {model.seed})" for model in models)
