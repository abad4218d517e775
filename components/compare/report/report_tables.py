"""The tables of the report: which numbers stand in which row. How a number looks is set in `tables`."""

from collections.abc import Collection
from typing import Any

from components.artifacts.evaluation import METRICS
from components.artifacts.names import REGIME_TITLES, SPLITS
from components.compare import recommendation
from components.compare.inputs import Inputs
from components.compare.report import tables
from components.compare.report.tables import Cell
from components.compare.stats import evidence

METRIC_NAMES = {
    "accuracy": "Accuracy",
    "precision": "Precision",
    "recall": "Recall (sensitivity)",
    "specificity": "Specificity",
    "f1": "F1",
    "balanced_accuracy": "Balanced accuracy",
    "mcc": "Matthews correlation",
    "roc_auc": "ROC AUC",
    "pr_auc": "PR AUC (average precision)",
    "brier": "Brier score (lower is better)",
    "ece": "Calibration error (lower is better)",
}

FIRST_METRICS = ("roc_auc", "accuracy")
"""Differences in these are shown at once, in the others on request."""

SUBGROUP_NAMES = {
    "bacteria": "bacterial pneumonia against normal",
    "virus": "viral pneumonia against normal",
    "patient seen in training": "of patients who are also in training or validation",
    "patient new": "of other patients",
}

COST_NAMES = {
    "train_seconds": "Training time",
    "peak_memory_mb": "Peak memory",
    "model_mb": "Model size",
    "inference_ms_per_image": "Time per image",
    "training_price": "Price of training",
}

Table = tuple[list[str], list[list[Any]]]
"""Headers, and rows of texts or cells. In tables shown by groups, rows with the same first cell stand together."""


def differences_table(results: dict[str, Any], metrics: Collection[str]) -> Table:
    """Every paired difference in these metrics, with what it lets one say."""
    headers = ["Metric", "Pair", "Difference (95% interval)", "p", "p, corrected", "Test", "What this says"]
    rows = [
        [
            METRIC_NAMES[pair["metric"]],
            f"{REGIME_TITLES[pair['a']]} − {REGIME_TITLES[pair['b']]}",
            Cell(tables.signed(pair["difference"]), tables.signed_span(pair["ci95"])),
            tables.probability(pair["p_value"]),
            tables.probability(pair["p_value_holm"]),
            pair["test"],
            recommendation.verdict(pair),
        ]
        for pair in results["comparisons"]
        if pair["metric"] in metrics
    ]
    return headers, rows


def further_differences_table(results: dict[str, Any]) -> Table:
    """The differences in all other metrics, a column a pair."""
    pairs = list(dict.fromkeys((pair["a"], pair["b"]) for pair in results["comparisons"]))
    found = {(pair["metric"], pair["a"], pair["b"]): pair for pair in results["comparisons"]}
    metrics = [metric for metric in METRICS if metric not in FIRST_METRICS]
    rows = [[METRIC_NAMES[metric], *(_difference(found[metric, a, b]) for a, b in pairs)] for metric in metrics]
    return ["Metric", *(f"{REGIME_TITLES[a]} − {REGIME_TITLES[b]}" for a, b in pairs)], rows if pairs else []


def _difference(pair: dict[str, Any]) -> Cell:
    """A difference with its interval, starred where it is shown also once corrected."""
    certain = recommendation.verdict(pair) == f"{REGIME_TITLES[_higher(pair)]} higher"
    return Cell(tables.signed(pair["difference"]) + " *" * certain, tables.signed_span(pair["ci95"]))


def _higher(pair: dict[str, Any]) -> str:
    return pair["a"] if pair["difference"] > 0 else pair["b"]


def metrics_table(results: dict[str, Any]) -> Table:
    """Every metric and the threshold, a column a regime."""
    regimes = results["regimes"]
    rows = [
        [METRIC_NAMES[metric], *(tables.metric_cell(regime["metrics"][metric]) for regime in regimes.values())]
        for metric in METRICS
    ]
    rows.append(["Threshold", *(tables.decimal(regime["threshold"]["value"]) for regime in regimes.values())])
    return ["Metric", *(REGIME_TITLES[name] for name in regimes)], rows


def external_table(results: dict[str, Any]) -> Table:
    """The same models on the test images and on the second data set."""
    metrics = ("roc_auc", "accuracy", "recall", "specificity")
    headers = ["Regime", "ROC AUC on the test images", *(f"{METRIC_NAMES[metric]}, elsewhere" for metric in metrics)]
    if "external" not in results:
        return headers, []
    elsewhere = tables.all_rows(results["external"])
    rows = [
        [
            REGIME_TITLES[name],
            tables.metric_cell(regime["metrics"]["roc_auc"]),
            *(tables.metric_cell(elsewhere[name]["metrics"][metric]) for metric in metrics),
        ]
        for name, regime in tables.all_rows(results).items()
    ]
    return headers, rows


def points_table(results: dict[str, Any]) -> Table:
    """What every threshold achieves on the test images."""
    headers = ["Regime", "Threshold", "Chosen on", "Recall (sensitivity)", "Specificity", "Precision", "Accuracy"]
    rows = []
    for name, regime in tables.all_rows(results).items():
        chosen = regime["threshold"]
        own = {"name": chosen["rule"], "threshold": chosen["value"], "chosen_on": chosen["chosen_on"]}
        for point in [own | {"metrics": regime["metrics"]}, *regime["operating_points"]]:
            rows.append(
                [
                    REGIME_TITLES[name],
                    Cell(tables.decimal(point["threshold"]), point["name"]),
                    point["chosen_on"] or tables.UNKNOWN,
                    *(tables.metric_cell(point["metrics"][metric]) for metric in evidence.POINT_METRICS),
                ]
            )
    return headers, rows


def calibration_table(results: dict[str, Any]) -> Table:
    """Brier score and calibration error before and after Platt scaling, and what the ROC curve itself says."""
    reading = list(next(iter(results["regimes"].values()))["test_curve"])
    headers = ["Regime", "Temperature", "Offset", "Brier score", "after scaling", "Calibration error", "after scaling"]
    rows = []
    for name, regime in tables.all_rows(results).items():
        fit = regime["calibration"]
        stages = [
            tables.metric_cell(fit[stage][metric])
            for metric in evidence.CALIBRATION_METRICS
            for stage in ("before", "after")
        ]
        read = (tables.decimal(regime["test_curve"][what]) for what in reading)
        rows.append(
            [REGIME_TITLES[name], tables.decimal(fit["temperature"]), tables.signed(fit["offset"]), *stages, *read]
        )
    return headers + [f"{what}, read off the test curve" for what in reading], rows


def subgroups_table(results: dict[str, Any], inputs: Inputs) -> Table:
    """Quality on the subgroups that this test set has."""
    metrics = ("roc_auc", *evidence.SUBGROUP_METRICS)
    rows = [
        [
            Cell(SUBGROUP_NAMES[subgroup], f"{tables.count(found['images'])} images"),
            REGIME_TITLES[name],
            *(
                tables.metric_cell(found["metrics"][metric]) if metric in found["metrics"] else tables.UNKNOWN
                for metric in metrics
            ),
        ]
        for subgroup in inputs.subgroups
        for name, regime in tables.all_rows(results).items()
        for found in [regime["subgroups"][subgroup]]
    ]
    return ["Test images", "Regime", *(METRIC_NAMES[metric] for metric in metrics)], rows


def pareto_table(results: dict[str, Any]) -> Table:
    """For each cost, the regimes worth a thought."""
    rows = [
        [COST_NAMES[cost], ", ".join(REGIME_TITLES[name] for name in front)]
        for cost, front in results["pareto"].items()
    ]
    return ["Cost", "Not beaten, cheapest first"], rows


def seeds_table(results: dict[str, Any]) -> Table:
    """ROC AUC and accuracy of every single training, where a regime was trained more than once, and their spread."""
    rows = []
    for name, regime in results["regimes"].items():
        if "per_seed" in regime:
            for seed, values in regime["per_seed"].items():
                rows.append([REGIME_TITLES[name], seed, *(tables.decimal(values[metric]) for metric in FIRST_METRICS)])
            spread = (tables.decimal(regime["metrics"][metric]["sd_seeds"]) for metric in FIRST_METRICS)
            rows.append([REGIME_TITLES[name], "standard deviation", *spread])
    return ["Regime", "Seed", "ROC AUC", "Accuracy"], rows


def splits_table(splits: dict[str, Any]) -> Table:
    """Images, patients and classes of each split."""
    rows = []
    for name in SPLITS:
        split = splits[name]
        images, pneumonia = split["images"], split["pneumonia"]
        shares = (f"{tables.count(part)} ({tables.percent(part, images)})" for part in (images - pneumonia, pneumonia))
        rows.append([name.capitalize(), tables.count(images), tables.count(split["patients"]), *shares])
    return ["Split", "Images", "Patients", "Normal", "Pneumonia"], rows


def recipe_table(inputs: Inputs) -> Table:
    """How each regime was trained, a row a setting."""
    recipes = {name: models[0].evaluation.results["training"]["recipe"] for name, models in inputs.regimes.items()}
    settings = dict.fromkeys(setting for recipe in recipes.values() for setting in recipe)
    rows = [
        [setting.replace("_", " "), *(_plain(recipe.get(setting)) for recipe in recipes.values())]
        for setting in settings
    ]
    return ["Setting", *(REGIME_TITLES[name] for name in recipes)], rows


def _plain(value: Any) -> str:
    """A setting as a person writes it."""
    if value is None:
        return tables.UNKNOWN
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return ", ".join(f"{key.replace('_', ' ')} {_plain(item)}" for key, item in value.items())
    if isinstance(value, list):
        return ", ".join(map(_plain, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def cost_table(results: dict[str, Any]) -> Table:
    """Speed of training and of use, price, and time to a given quality, a row a regime."""
    levels = list(next(iter(results["regimes"].values()))["time_to_auc"])
    headers = [
        *("Regime", "Epochs", "Training time", "Price of training", "Training images/s", "Time per image"),
        *("Images/s in use", *(f"Time to validation AUC {level}" for level in levels)),
    ]
    rows = []
    for name, regime in results["regimes"].items():
        cost = regime["cost"]
        speed = [cost["images_per_second"], cost["inference_images_per_second"]]
        training, use = (tables.UNKNOWN if value is None else f"{value:,.0f}" for value in speed)
        rows.append(
            [
                REGIME_TITLES[name],
                tables.count(cost["epochs"]),
                tables.duration(cost["train_seconds"]),
                tables.price(cost["training_price"]),
                training,
                tables.milliseconds(cost["inference_ms_per_image"]),
                use,
                *(tables.duration(regime["time_to_auc"][level]) for level in levels),
            ]
        )
    return headers, rows


def runs_table(inputs: Inputs) -> Table:
    """When and where each model was trained."""
    rows = []
    for model in inputs.models:
        training = model.evaluation.results["training"]
        machine = training["hardware"]
        hardware = f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gb']:g} GB, " + (
            f"GPU {machine['gpu']}" if machine["gpu"] else "no GPU"
        )
        rows.append([REGIME_TITLES[training["regime"]], str(model.seed), training["made_by"]["started"], hardware])
    return ["Regime", "Seed", "Started (UTC)", "Hardware"], rows


def versions_table(results: dict[str, Any]) -> Table:
    """Of Python and the packages."""
    return ["Package", "Version"], [[name, version] for name, version in results["run"]["versions"].items()]


def settings_table(results: dict[str, Any], inputs: Inputs) -> Table:
    """What identifies this run."""
    run, backbone = results["run"], results["backbone"]
    rows = [
        ["Run", run["id"] or "without a name"],
        ["Started, finished (UTC)", f"{run['started']}, {run['finished']}"],
        ["Seeds", ", ".join(map(str, run["seeds"]))],
        ["Dataset fingerprint (SHA-256)", results["dataset"]["fingerprint"]],
        ["Dataset arguments", _plain(inputs.dataset.info["made_by"]["arguments"])],
        ["Training arguments", _plain(_common_arguments(inputs))],
        ["Backbone", tables.backbone(backbone) if backbone["name"] else "none"],
    ]
    return ["What", "Value"], rows


def _common_arguments(inputs: Inputs) -> dict[str, Any]:
    """The arguments that all trainings were given alike."""
    given = [model.evaluation.results["training"]["made_by"]["arguments"] for model in inputs.models]
    return {name: value for name, value in given[0].items() if all(other.get(name) == value for other in given)}
