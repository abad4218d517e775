"""Writes the report as one self-contained HTML file."""

import base64
from pathlib import Path
from typing import Any

from components import planning
from components.artifacts.comparison import ComparisonRecord, ExternalResult, Findings
from components.artifacts.names import REGIME_TITLES
from components.artifacts.raw_dataset import Source
from components.compare.inputs import Inputs
from components.compare.recommendation import several_seeds
from components.compare.report import (
    checklist,
    clinical,
    explanations,
    failures,
    formats,
    label_budgets,
    recommendation,
    reproduce,
    seen_patients,
)
from components.compare.report import table as tables
from components.compare.report import tuning as searches
from components.compare.report.notes import notes, several_machines
from components.compare.report.plots.picture import Picture
from components.compare.report.table import Table
from components.compare.report.tables import clinical as clinical_tables
from components.compare.report.tables import cost, main, provenance, quality, transfer, tuning
from components.compare.report.tables import label_budgets as budget_tables
from components.compare.report.titles import backbone_title
from components.look import templates

TEMPLATES = Path(__file__).parent / "templates"

LISTED_FILES = 20
"""At most this many refused files are listed; the dataset's quality.json lists them all."""

KERMANY_DATASET = "paultimothymooney/chest-xray-pneumonia"
"""Kaggle's "Chest X-Ray Images (Pneumonia)", of Kermany et al. 2018 (doi:10.1016/j.cell.2018.02.010)."""


def html(record: ComparisonRecord, inputs: Inputs, pictures: dict[str, Picture]) -> str:
    """The report as one HTML file without external resources.

    Args:
        record: content of `results.json`.
        inputs: the evaluations and the dataset summary.
        pictures: the plots, already on disk.
    """
    info = inputs.dataset.info
    return rendered(
        "report.html.j2",
        results=record,
        info=info,
        quality=info["quality"],
        subject=subject(record),
        sentences=recommendation.of_results(record),
        cautions=(recommendation.CAUTION, recommendation.SHIFT),
        shifted=any(sentence.startswith(recommendation.SHIFT) for sentence in recommendation.of_results(record)),
        picks=recommendation.picks(record),
        notes=notes(record, inputs),
        machines=several_machines(inputs),
        flow=record["dataset"]["flow"],
        balance=provenance.balance_text(record),
        seen_patients=seen_patients.warning(record),
        replicates=record["made_by"]["arguments"]["replicates"],
        subgroups=list(inputs.subgroups),
        external=external_subject(external) if (external := record.get("external")) else "",
        several_seeds=several_seeds(record),
        listed_files=LISTED_FILES,
        images={name: embedded(picture.file) for name, picture in pictures.items()},
        pictures=pictures,
        examples=embedded(inputs.dataset.examples) if inputs.dataset.examples.exists() else None,
        mistakes=explanations.cases(inputs),
        side=explanations.SIDE,
        failed=failures.titles(record),
        failures=failures.warnings(record),
        compared=failures.compared(record),
        regimes=[REGIME_TITLES[name] for name in record["regimes"]],
        command=reproduce.command(inputs, record),
        origin=_origin(info["source"]),
        planned=planned(record),
        tuning=searches.shown(record),
        budgets=label_budgets.shown(record),
        clinical=clinical.shown(record),
        clinical_hint=clinical.HINT,
        tables=_tables(record, inputs),
    )


def _tables(record: ComparisonRecord, inputs: Inputs) -> dict[str, Table]:
    """Every table of the report by its name in the template."""
    found = {
        "main": main.main_table(record),
        "differences": quality.differences_table(record, record["comparisons"]),
        "further_differences": quality.further_differences_table(record),
        "metrics": quality.metrics_table(record),
        "seeds": quality.seeds_table(record),
        "points": quality.points_table(record),
        "calibration": quality.calibration_table(record),
        "subgroups": quality.subgroups_table(record),
        "shift": transfer.shift_table(record),
        "calibration_change": transfer.calibration_change_table(record),
        "ensembles": transfer.ensembles_table(record),
        "training_times": transfer.training_times_table(record),
        "noninferiority": transfer.noninferiority_table(record),
        "pareto": cost.pareto_table(record),
        "cost": cost.cost_table(record),
        "planning": provenance.planning_table(record["planning"]),
        "characteristics": provenance.characteristics_table(record),
        "splits": provenance.splits_table(inputs.dataset.info["splits"]),
        "recipe": provenance.recipe_table(inputs),
        "runs": provenance.runs_table(inputs),
        "versions": provenance.versions_table(record),
        "settings": provenance.settings_table(record, inputs),
        "checklist": checklist.checklist_table(),
        **tuning.tables(record),
        "baseline": quality.differences_table(record, record["floor"]["comparisons"] if "floor" in record else []),
    }
    if "clinical_use" in record:
        found["clinical"] = clinical_tables.predictive_values_table(record, record["clinical_use"])
        found["net_benefit"] = clinical_tables.net_benefit_table(record["clinical_use"])
    if "label_budgets" in record:
        found |= budget_tables.all_tables(record["label_budgets"])
    if "external" in record:
        found["external"] = quality.external_table(record, record["external"])
        found["external_differences"] = quality.differences_table(record, record["external"]["comparisons"])
    return found


def rendered(template: str, **shown: Any) -> str:
    """A page of one of the templates.

    Args:
        template: its file name.
        shown: the variables of the template; texts are escaped, wherever they come from.
    """
    environment = templates.environment(TEMPLATES)
    environment.filters |= {name: getattr(formats, name) for name in ("count", "counted", "percent", "typeset")}
    environment.filters["groups"] = tables.groups
    return environment.get_template(template).render(shown)


def embedded(file: Path) -> str:
    """A PNG as a data URL."""
    return "data:image/png;base64," + base64.b64encode(file.read_bytes()).decode()


def _origin(source: Source) -> str:
    """The kind of statement on the origin of the images that applies: `synthetic`, `kermany` or `unknown`."""
    if source["name"] == "synthetic":
        return "synthetic"
    of_kaggle = source["name"] == "kaggle" and f" {KERMANY_DATASET} " in f" {source['description']} "
    # PneumoniaMNIST has the same images at a lower resolution (Yang et al. 2023, doi:10.1038/s41597-022-01721-8).
    return "kermany" if of_kaggle or source["name"] == "pneumoniamnist" else "unknown"


def subject(findings: Findings) -> str:
    """What was compared, in one line: data, image size, backbone and the source of its weights."""
    dataset, backbone = findings["dataset"], findings["backbone"]
    parts = [f"Data: {dataset['source']['description']}", f"{dataset['image_size']} px"]
    if backbone["name"]:
        parts.append(backbone_title(backbone))
    return " · ".join(parts)


def planned(findings: Findings) -> list[str]:
    """What the test set can show, in a few sentences."""
    test = findings["dataset"]["splits"]["test"]
    return planning.sentences(findings["planning"], test["images"], test["patients"])


def external_subject(external: ExternalResult) -> str:
    """What the external test set is, in a few sentences."""
    found = external["dataset"]
    return (
        f"{found['source']['description']}: {formats.count(found['images'])} images of "
        f"{formats.count(found['patients'])} patients, {formats.percent(found['pneumonia'], found['images'])} "
        "pneumonia. Nothing was trained or chosen on them; the thresholds are those chosen on the validation images."
    )
