"""The numbers of `label_budgets` in `results.json`: how many labelled patients each regime needs."""

from collections.abc import Mapping, Sequence

import numpy as np

from components.artifacts.comparison import ExternalResult
from components.artifacts.label_budget_results import BudgetTrainings, LabelBudgetResults, LabelCost, OnTestSet
from components.artifacts.regime_result import Metric, RegimeResult
from components.compare.budget_inputs import Budgeted, BudgetInputs
from components.compare.failures import described
from components.compare.inputs import Inputs, Model
from components.compare.stats import budgets, label_budgets
from components.compare.stats.budgets import Condition, Trainings


def build(
    inputs: Inputs,
    given: BudgetInputs,
    label_price: float,
    regimes: Mapping[str, RegimeResult],
    external: ExternalResult | None,
) -> LabelBudgetResults:
    """Computes what the comparison says about numbers of labelled patients.

    Args:
        inputs: the evaluations: the trainings with all patients.
        given: the trainings with budgets.
        label_price: of labelling a patient; 0 for unknown.
        regimes: of the comparison, which are those with all patients.
        external: the comparison on the external test set; None without one.
    """
    patients = next((own.record["patients"] for own in given.regimes.values()), None)
    whole = {name: regime["metrics"] for name, regime in regimes.items()}
    scores = {(model.regime, model.seed): model.scores for model in inputs.models}
    found: LabelBudgetResults = {
        "patients": patients,
        "draws": given.draws,
        "samples": budgets.SAMPLES,
        "label_price": label_price or None,
        **_on_test_set(inputs, given, (inputs.labels, inputs.patients), scores, whole),
        "costs": _costs(inputs, given, patients, label_price),
        "cost_of_trainings": {name: _cost(own) for name, own in given.regimes.items()},
        "failed": described(given.failures),
    }
    if inputs.external and external:
        elsewhere = inputs.external
        metrics = {name: regime["metrics"] for name, regime in external["regimes"].items()}
        truth = (elsewhere.labels, elsewhere.patients)
        found["external"] = _on_test_set(inputs, given, truth, elsewhere.scores, metrics, outside=True)
    return found


def _on_test_set(
    inputs: Inputs,
    given: BudgetInputs,
    truth: tuple[np.ndarray, np.ndarray],
    scores: Mapping[tuple[str, int], np.ndarray],
    whole: Mapping[str, Mapping[str, Metric]],
    outside: bool = False,
) -> OnTestSet:
    """The results on the test images, or on the external ones; those with all patients are the comparison's own."""
    rows: list[np.ndarray] = []
    thresholds: list[float] = []
    conditions: list[Condition] = []

    def add(regime: str, patients: int, own: list[tuple[np.ndarray, float]], all_patients: bool) -> None:
        places = tuple(range(len(rows), len(rows) + len(own)))
        rows.extend(score for score, _ in own)
        thresholds.extend(threshold for _, threshold in own)
        conditions.append(Condition(regime, patients, places, all_patients))

    for name, regime in given.regimes.items():
        trainings = regime.record["trainings"]
        of_images = regime.external if outside else regime.scores
        for budget, places in regime.budgets.items():
            add(name, budget, [(of_images[place], trainings[place]["threshold"]) for place in places], False)
        if models := inputs.regimes.get(name):
            add(name, regime.record["patients"], _of_models(models, scores), True)
    if not conditions:
        return {"regimes": {}, "pairs": []}
    # With all patients, every pair of the comparison counts in the correction for their number.
    for name, models in inputs.regimes.items():
        if name not in given.regimes:
            add(name, max(own.record["patients"] for own in given.regimes.values()), _of_models(models, scores), True)
    found = label_budgets.on_test_set(Trainings(*truth, np.stack(rows), np.array(thresholds), tuple(conditions)))
    found["regimes"] = {name: own for name, own in found["regimes"].items() if name in given.regimes}
    found["pairs"] = [own for own in found["pairs"] if own["a"] in given.regimes and own["b"] in given.regimes]
    for name, result in found["regimes"].items():
        for point in result["points"]:
            if point["all"]:
                point["roc_auc"], point["accuracy"] = whole[name]["roc_auc"], whole[name]["accuracy"]
    return found


def _of_models(models: Sequence[Model], scores: Mapping[tuple[str, int], np.ndarray]) -> list[tuple[np.ndarray, float]]:
    return [(scores[model.regime, model.seed], model.threshold) for model in models]


def _costs(inputs: Inputs, given: BudgetInputs, patients: int | None, price: float) -> list[LabelCost]:
    """Every number of patients with its split and price, and twice all of them."""
    if patients is None:
        return []
    splits = inputs.dataset.info["splits"]
    known = {
        training["budget"]: training["patients"]
        for own in given.regimes.values()
        for training in own.record["trainings"]
        if training["budget"] in own.budgets
    }
    known[patients] = {"train": splits["train"]["patients"], "validation": splits["validation"]["patients"]}
    found: list[LabelCost] = [
        {"patients": number, "split": known[number], "price": number * price if price else None}
        for number in sorted(known)
    ]
    twice: LabelCost = {"patients": 2 * patients, "split": None, "price": 2 * patients * price if price else None}
    return [*found, twice]


def _cost(own: Budgeted) -> BudgetTrainings:
    record = own.record
    return {
        "trainings": len(record["trainings"]),
        "diverged": sum(training["diverged"] for training in record["trainings"]),
        "seconds": record["seconds"],
        "shared_seconds": record["shared_seconds"],
        "peak_memory_mb": record["peak_memory_mb"],
        "left_out": own.left_out,
    }
