"""Writes the comparison for people: one self-contained HTML file, and its first screen as Markdown."""

import base64
from collections.abc import Collection
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from components.artifacts.evaluation import METRICS
from components.artifacts.names import REGIME_TITLES, SPLITS
from components.compare import evidence, recommendation, statistics, tables
from components.compare.inputs import Inputs
from components.compare.notes import notes, several_machines
from components.compare.plots import Picture
from components.compare.tables import Cell

TEMPLATES = Path(__file__).parent / "templates"

LISTED_FILES = 20
"""At most this many refused files are named; the data set's quality.json names them all."""

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

WEIGHTS_NAMES = {"none": "none (random)", "imagenet": "ImageNet"}

KERMANY_SOURCES = ("kaggle", "pneumoniamnist")
"""Sources whose images are those of Kermany et al. 2018 (doi:10.1016/j.cell.2018.02.010)."""

Table = tuple[list[str], list[list[Any]]]


def html(results: dict[str, Any], inputs: Inputs, pictures: dict[str, Picture]) -> str:
    """The report as one HTML file that needs nothing else.

    Args:
        results: content of `results.json`.
        inputs: the evaluations and the dataset summary.
        pictures: the plots, already on disk.
    """
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {name: getattr(tables, name) for name in ("count", "counted", "percent", "typeset")}
    info = inputs.dataset.info
    return environment.get_template("report.html.j2").render(
        results=results,
        info=info,
        quality=info["quality"],
        subject=subject(results),
        sentences=recommendation.sentences(results),
        picks=recommendation.picks(results),
        notes=notes(results, inputs),
        machines=several_machines(inputs),
        replicates=statistics.REPLICATES,
        subgroups=list(inputs.subgroups),
        external=external_subject(results) if "external" in results else "",
        several_seeds=any("per_seed" in regime for regime in results["regimes"].values()),
        margin=recommendation.MARGIN,
        listed_files=LISTED_FILES,
        images={name: _embedded(picture.file) for name, picture in pictures.items()},
        pictures=pictures,
        examples=_embedded(inputs.dataset.examples) if inputs.dataset.examples.exists() else None,
        origin=_origin(info["source"]["name"]),
        tables={
            "main": tables.main_table(results),
            "differences": differences_table(results, FIRST_METRICS),
            "further_differences": differences_table(results, [name for name in METRICS if name not in FIRST_METRICS]),
            "metrics": metrics_table(results),
            "seeds": seeds_table(results),
            "floor": differences_table(results.get("floor", {"comparisons": []}), FIRST_METRICS),
            "external": external_table(results),
            "external_differences": differences_table(results.get("external", {"comparisons": []}), FIRST_METRICS),
            "points": points_table(results),
            "calibration": calibration_table(results),
            "subgroups": subgroups_table(results, inputs),
            "pareto": pareto_table(results),
            "splits": splits_table(info["splits"]),
            "recipe": recipe_table(inputs),
            "cost": cost_table(results),
            "runs": runs_table(inputs),
            "settings": settings_table(results, inputs),
        },
    )


def _embedded(file: Path) -> str:
    return "data:image/png;base64," + base64.b64encode(file.read_bytes()).decode()


def _origin(source: str) -> str:
    """Which words on where the images come from apply: `synthetic`, `kermany` or `unknown`."""
    if source == "synthetic":
        return source
    return "kermany" if source in KERMANY_SOURCES else "unknown"


def differences_table(results: dict[str, Any], metrics: Collection[str]) -> Table:
    """Every paired difference in these metrics, with what it lets one say."""
    headers = ["Pair", "Metric", "Difference (95% interval)", "p", "p, corrected", "Test", "What this says"]
    rows = [
        [
            f"{REGIME_TITLES[pair['a']]} − {REGIME_TITLES[pair['b']]}",
            METRIC_NAMES[pair["metric"]],
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
    """Brier score and calibration error before and after temperature scaling, and what the ROC curve itself says."""
    reading = list(next(iter(results["regimes"].values()))["test_curve"])
    headers = ["Regime", "Temperature", "Brier score", "after scaling", "Calibration error", "after scaling"]
    rows = []
    for name, regime in tables.all_rows(results).items():
        fit = regime["calibration"]
        stages = [
            tables.metric_cell(fit[stage][metric])
            for metric in evidence.CALIBRATION_METRICS
            for stage in ("before", "after")
        ]
        read = (tables.decimal(regime["test_curve"][what]) for what in reading)
        rows.append([REGIME_TITLES[name], tables.decimal(fit["temperature"]), *stages, *read])
    return headers + [f"{what}, read off the test curve" for what in reading], rows


def subgroups_table(results: dict[str, Any], inputs: Inputs) -> Table:
    """Quality on the subgroups that this test set has."""
    metrics = ("roc_auc", *evidence.SUBGROUP_METRICS)
    rows = [
        [
            REGIME_TITLES[name],
            Cell(SUBGROUP_NAMES[subgroup], f"{tables.count(found['images'])} images"),
            *(
                tables.metric_cell(found["metrics"][metric]) if metric in found["metrics"] else tables.UNKNOWN
                for metric in metrics
            ),
        ]
        for subgroup in inputs.subgroups
        for name, regime in tables.all_rows(results).items()
        for found in [regime["subgroups"][subgroup]]
    ]
    return ["Regime", "Test images", *(METRIC_NAMES[metric] for metric in metrics)], rows


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
    """When, where and with which arguments each model was trained."""
    rows = []
    for model in inputs.models:
        training = model.evaluation.results["training"]
        machine, made_by = training["hardware"], training["made_by"]
        hardware = f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gb']:g} GB, " + (
            f"GPU {machine['gpu']}" if machine["gpu"] else "no GPU"
        )
        title = REGIME_TITLES[training["regime"]]
        rows.append([title, str(model.seed), made_by["started"], hardware, _plain(made_by["arguments"])])
    return ["Regime", "Seed", "Started (UTC)", "Hardware", "Arguments"], rows


def settings_table(results: dict[str, Any], inputs: Inputs) -> Table:
    """What identifies this run."""
    run, backbone = results["run"], results["backbone"]
    made_by = inputs.dataset.info["made_by"]
    rows = [
        ["Run", run["id"] or "without a name"],
        ["Started, finished (UTC)", f"{run['started']}, {run['finished']}"],
        ["Seeds", ", ".join(map(str, run["seeds"]))],
        ["Dataset fingerprint", results["dataset"]["fingerprint"]],
        ["Dataset arguments", _plain(made_by["arguments"])],
        ["Backbone", f"{backbone['name']}, weights: {backbone['weights']}" if backbone["name"] else "none"],
        ["Versions", _plain(run["versions"])],
    ]
    return ["What", "Value"], rows


def subject(results: dict[str, Any]) -> str:
    """What was compared on what, in a line: data, image size, backbone and where its weights come from."""
    dataset, backbone = results["dataset"], results["backbone"]
    parts = [f"Data: {dataset['source']['description']}", f"{dataset['image_size']} px"]
    if backbone["name"]:
        parts.append(f"{backbone['name']}, weights: {WEIGHTS_NAMES.get(backbone['weights'], backbone['weights'])}")
    return " · ".join(parts)


def markdown(results: dict[str, Any], inputs: Inputs) -> str:
    """The report's first screen as Markdown: the answer, the table, and what to beware of."""
    test = results["dataset"]["splits"]["test"]
    title = f"Which training is worth its cost{' – ' + results['run']['id'] if results['run']['id'] else ''}"
    return "\n\n".join(
        [
            f"# {tables.markdown_text(title)}",
            tables.markdown_text(subject(results)),
            f"**{recommendation.sentences(results)[0]}**",
            *recommendation.sentences(results)[1:],
            " · ".join(f"{rule}: **{regime}**" for rule, regime in recommendation.picks(results)),
            tables.markdown_table(*tables.main_table(results)),
            f"Test split: {test['images']:,} images of {test['patients']:,} patients. In brackets: 95% intervals"
            f"{', which know how patients and how trainings vary' if len(results['run']['seeds']) > 1 else ''}.",
            *_external_markdown(results),
            "\n".join(f"- {note}" for note in notes(results, inputs)),
            "Not for clinical use.\n",
        ]
    )


def _external_markdown(results: dict[str, Any]) -> list[str]:
    if "external" not in results:
        return []
    headers, rows = external_table(results)
    text = tables.markdown_text(external_subject(results))
    return [f"Elsewhere: {text}", tables.markdown_table(headers, [[*map(_as_cell, row)] for row in rows])]


def _as_cell(content: str | Cell) -> Cell:
    return content if isinstance(content, Cell) else Cell(content)


def external_subject(results: dict[str, Any]) -> str:
    """What the second data set is, in a line."""
    found = results["external"]["dataset"]
    return (
        f"{found['source']['description']}: {tables.count(found['images'])} images of "
        f"{tables.count(found['patients'])} patients, {tables.percent(found['pneumonia'], found['images'])} pneumonia. "
        "Nothing was trained or chosen on them; thresholds are those of the first data set."
    )
