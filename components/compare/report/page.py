"""Writes the comparison for people: one self-contained HTML file, and its first screen as Markdown."""

import base64
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from components.artifacts.names import REGIME_TITLES
from components.compare import recommendation
from components.compare.inputs import Inputs
from components.compare.report import explanations, report_tables, reproduce, tables
from components.compare.report.notes import notes, several_machines
from components.compare.report.plots import Picture
from components.compare.report.tables import Cell
from components.compare.stats import resampling

TEMPLATES = Path(__file__).parent / "templates"

LISTED_FILES = 20
"""At most this many refused files are named; the data set's quality.json names them all."""

KERMANY_DATASET = "paultimothymooney/chest-xray-pneumonia"
"""Kaggle's "Chest X-Ray Images (Pneumonia)", of Kermany et al. 2018 (doi:10.1016/j.cell.2018.02.010)."""


def html(results: dict[str, Any], inputs: Inputs, pictures: dict[str, Picture]) -> str:
    """The report as one HTML file that needs nothing else.

    Args:
        results: content of `results.json`.
        inputs: the evaluations and the dataset summary.
        pictures: the plots, already on disk.
    """
    info = inputs.dataset.info
    return rendered(
        "report.html.j2",
        results=results,
        info=info,
        quality=info["quality"],
        subject=subject(results),
        sentences=recommendation.sentences(results),
        picks=recommendation.picks(results),
        notes=notes(results, inputs),
        machines=several_machines(inputs),
        replicates=resampling.REPLICATES,
        subgroups=list(inputs.subgroups),
        external=external_subject(results) if "external" in results else "",
        several_seeds=any("per_seed" in regime for regime in results["regimes"].values()),
        margin=recommendation.MARGIN,
        listed_files=LISTED_FILES,
        images={name: embedded(picture.file) for name, picture in pictures.items()},
        pictures=pictures,
        examples=embedded(inputs.dataset.examples) if inputs.dataset.examples.exists() else None,
        mistakes=explanations.cases(inputs),
        side=explanations.SIDE,
        regimes=[REGIME_TITLES[name] for name in results["regimes"]],
        command=reproduce.command(inputs, results),
        origin=_origin(info["source"]),
        tables={
            "main": tables.main_table(results),
            "differences": report_tables.differences_table(results, report_tables.FIRST_METRICS),
            "further_differences": report_tables.further_differences_table(results),
            "metrics": report_tables.metrics_table(results),
            "seeds": report_tables.seeds_table(results),
            "floor": report_tables.differences_table(
                results.get("floor", {"comparisons": []}), report_tables.FIRST_METRICS
            ),
            "external": report_tables.external_table(results),
            "external_differences": report_tables.differences_table(
                results.get("external", {"comparisons": []}), report_tables.FIRST_METRICS
            ),
            "points": report_tables.points_table(results),
            "calibration": report_tables.calibration_table(results),
            "subgroups": report_tables.subgroups_table(results, inputs),
            "pareto": report_tables.pareto_table(results),
            "splits": report_tables.splits_table(info["splits"]),
            "recipe": report_tables.recipe_table(inputs),
            "cost": report_tables.cost_table(results),
            "runs": report_tables.runs_table(inputs),
            "versions": report_tables.versions_table(results),
            "settings": report_tables.settings_table(results, inputs),
        },
    )


def rendered(template: str, **shown: Any) -> str:
    """A page of one of the templates.

    Args:
        template: its file name.
        shown: what it shows; texts are escaped, wherever they come from.
    """
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        name: getattr(tables, name) for name in ("count", "counted", "grouped", "percent", "typeset")
    }
    return environment.get_template(template).render(shown)


def embedded(file: Path) -> str:
    """A PNG as a data URL."""
    return "data:image/png;base64," + base64.b64encode(file.read_bytes()).decode()


def _origin(source: dict[str, str]) -> str:
    """Which words on where the images come from apply: `synthetic`, `kermany` or `unknown`."""
    if source["name"] == "synthetic":
        return "synthetic"
    of_kaggle = source["name"] == "kaggle" and f" {KERMANY_DATASET} " in f" {source['description']} "
    # PneumoniaMNIST's images are the same, made small (Yang et al. 2023, doi:10.1038/s41597-022-01721-8).
    return "kermany" if of_kaggle or source["name"] == "pneumoniamnist" else "unknown"


def subject(results: dict[str, Any]) -> str:
    """What was compared on what, in a line: data, image size, backbone and where its weights come from."""
    dataset, backbone = results["dataset"], results["backbone"]
    parts = [f"Data: {dataset['source']['description']}", f"{dataset['image_size']} px"]
    if backbone["name"]:
        parts.append(tables.backbone(backbone))
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
    headers, rows = report_tables.external_table(results)
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
