"""Tables of what a run was made from: data, recipe, trainings, versions, settings."""

from collections.abc import Mapping
from typing import Any

from components.artifacts import trained_model
from components.artifacts.comparison import Findings
from components.artifacts.dataset_summary import Counts, Planning
from components.artifacts.names import REGIME_TITLES, SPLITS
from components.compare.inputs import Inputs
from components.compare.report import formats
from components.compare.report.table import Table, table
from components.compare.report.titles import CHARACTERISTIC_TITLES, backbone_title, listed


def splits_table(splits: Mapping[str, Counts]) -> Table:
    """Images, patients and classes of each split."""
    rows = []
    for name in SPLITS:
        split = splits[name]
        images, pneumonia = split["images"], split["pneumonia"]
        shares = (
            f"{formats.count(part)} ({formats.percent(part, images)})" for part in (images - pneumonia, pneumonia)
        )
        rows.append([name.capitalize(), formats.count(images), formats.count(split["patients"]), *shares])
    return table(["Split", "Images", "Patients", "Normal", "Pneumonia"], rows)


def planning_table(planning: Planning) -> Table:
    """Differences in ROC AUC that the test set can show, for each assumed ROC AUC."""
    rows = [
        [
            f"{case['roc_auc']:g}",
            formats.decimal(case["standard_error"]),
            *(f"{low:.3f} to {high:.3f}" for low, high in (case["detectable"], case["detectable_holm"])),
        ]
        for case in planning["assumed"]
    ]
    columns = [
        "Assumed ROC AUC",
        "Standard error",
        "Difference, one pair",
        f"Difference, {planning['pairs']} pairs (Holm)",
    ]
    return table(columns, rows)


def characteristics_table(findings: Findings) -> Table:
    """Groups of patients and images in each split; without rows where no DICOM file names any."""
    rows = [
        [CHARACTERISTIC_TITLES[name], group, *(_number(by_split[split]) for split in SPLITS)]
        for name, groups in findings["dataset"]["characteristics"].items()
        for group, by_split in groups.items()
    ]
    return table(["", "Group", *map(str.capitalize, SPLITS)], rows)


def _number(value: int | str) -> str:
    return value if isinstance(value, str) else formats.count(value)


def balance_text(findings: Findings) -> str:
    """The balance of the classes in a sentence or two."""
    balance = findings["dataset"]["class_balance"]
    shares = listed([f"{share:.1%} in {name}" for name, share in balance["pneumonia_share"].items()])
    text = f"Share of pneumonia: {shares}."
    if "class_weights" in balance:
        weights = balance["class_weights"]
        text += (
            f" In the training loss a normal image weighs {weights['normal']:.2f} and a pneumonia image "
            f"{weights['pneumonia']:.2f}, so that both classes have the same total weight."
        )
    return text


def recipe_table(inputs: Inputs) -> Table:
    """How each regime was trained, a row for each setting; several values where the seeds differ."""
    recipes = {name: [model.record["training"]["recipe"] for model in own] for name, own in inputs.regimes.items()}
    settings = dict.fromkeys(setting for own in recipes.values() for recipe in own for setting in recipe)
    rows = [
        [
            setting.replace("_", " "),
            *(" or ".join(dict.fromkeys(formats.setting(one.get(setting)) for one in own)) for own in recipes.values()),
        ]
        for setting in settings
    ]
    rows += _head_rows(inputs)
    return table(["Setting", *(REGIME_TITLES[name] for name in recipes)], rows)


def _head_rows(inputs: Inputs) -> list[list[str]]:
    """How the heads on frozen features were found; several where the seeds differ."""
    heads = {
        name: [head for model in models if (head := model.record["training"].get("head"))]
        for name, models in inputs.regimes.items()
    }
    if not any(heads.values()):
        return []
    depths = {name: dict.fromkeys(" + ".join(head["depths"]) for head in own) for name, own in heads.items()}
    strengths = {name: dict.fromkeys(f"{head['strength']:g}" for head in own) for name, own in heads.items()}
    return [
        ["feature maps under the first head", *(" or ".join(own) or formats.UNKNOWN for own in depths.values())],
        [
            "C of the first head (inverse L2 penalty)",
            *(" or ".join(own) or formats.UNKNOWN for own in strengths.values()),
        ],
    ]


def runs_table(inputs: Inputs) -> Table:
    """When and where each model was trained, and whether its operations were deterministic."""
    trainings = [(model.seed, model.record["training"]) for model in inputs.models]
    rows = [
        [
            REGIME_TITLES[training["regime"]],
            str(seed),
            training["made_by"]["started"],
            formats.hardware(training["hardware"]),
            formats.setting(training.get("deterministic")),
        ]
        for seed, training in trainings
    ]
    return table(["Regime", "Seed", "Started (UTC)", "Hardware", "Deterministic"], rows)


def versions_table(findings: Findings) -> Table:
    """Versions of Python and the packages."""
    return table(["Package", "Version"], [[name, version] for name, version in findings["run"]["versions"].items()])


def settings_table(findings: Findings, inputs: Inputs) -> Table:
    """What identifies this run."""
    run = findings["run"]
    rows = [
        ["Run", run["id"] or "without a name"],
        ["Started, finished (UTC)", f"{run['started']}, {run['finished']}"],
        ["Seeds", ", ".join(map(str, run["seeds"]))],
        ["Dataset fingerprint (SHA-256)", findings["dataset"]["fingerprint"]],
        ["Dataset arguments", formats.setting(inputs.dataset.info["made_by"]["arguments"])],
        ["Training arguments", formats.setting(_common_arguments(inputs))],
        ["Backbone", backbone_title(findings["backbone"])],
    ]
    return table(["Property", "Value"], rows)


def _common_arguments(inputs: Inputs) -> dict[str, Any]:
    """The arguments that all trainings have in common."""
    given = [trained_model.arguments(model.record["training"]) for model in inputs.models]
    return {name: value for name, value in given[0].items() if all(other.get(name) == value for other in given)}
