"""Writes the first screen of the report as Markdown, and the answer as plain text."""

from components.artifacts.comparison import Findings, Results
from components.compare.inputs import Inputs
from components.compare.report import clinical, failures, label_budgets, recommendation
from components.compare.report.notes import notes
from components.compare.report.page import external_subject, subject
from components.compare.report.table import escaped, markdown
from components.compare.report.tables.clinical import net_benefit_table, predictive_values_table
from components.compare.report.tables.main import main_table, terminal_table
from components.compare.report.tables.quality import external_table


def markdown_summary(results: Results, inputs: Inputs) -> str:
    """The first screen of the report: the answer, the main table, and the cautions."""
    test, run = results["dataset"]["splits"]["test"], results["run"]
    title = f"Which training is worth its cost{' – ' + run['id'] if run['id'] else ''}"
    answer, *further = recommendation.of_results(results)
    seeds = ", which include the variation between seeds" if len(run["seeds"]) > 1 else ""
    return "\n\n".join(
        [
            f"# {escaped(title)}",
            escaped(subject(results)),
            f"**{answer}**",
            *map(escaped, failures.warnings(results)),
            *further,
            " · ".join(f"{rule}: **{regime}**" for rule, regime in recommendation.picks(results)),
            markdown(main_table(results)),
            f"Test split: {test['images']:,} images of {test['patients']:,} patients. "
            f"In brackets: 95% intervals{seeds}.",
            *_label_budgets(results),
            *_external(results),
            "\n".join(f"- {note}" for note in notes(results, inputs)),
            *_clinical(results),
            "Not for clinical use.\n",
        ]
    )


def _label_budgets(findings: Findings) -> list[str]:
    found = label_budgets.shown(findings)
    if not found:
        return []
    return [f"**{found.title}** {found.answer} {' '.join(found.sentences)}".strip(), *map(escaped, found.cautions)]


def _external(findings: Findings) -> list[str]:
    if "external" not in findings:
        return []
    external = findings["external"]
    return [
        f"External test set: {escaped(external_subject(external))}",
        markdown(external_table(findings, external)),
    ]


def _clinical(findings: Findings) -> list[str]:
    found, use = clinical.shown(findings), findings.get("clinical_use")
    if not found or not use:
        return []
    tables = [predictive_values_table(findings, use), net_benefit_table(use)]
    return [
        f"## {found.title}",
        found.condition,
        *found.sentences,
        *(markdown(table) for table in tables if table.rows),
    ]


def plain_text_summary(results: Results) -> str:
    """The content of `table.txt`: the main figures and the recommendation."""
    return f"{terminal_table(results)}\n\n{results['recommendation']['why']}\n"
