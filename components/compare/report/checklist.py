"""The reporting checklist: where the report answers the items of CLAIM 2024 and TRIPOD+AI, and what it cannot answer.

`python -m components.compare.report.checklist` prints `docs/reporting.md`. The topics are in own words; the wording of
the items is in the publications.

This file reads better whole: it is one table, in the order of a publication.
"""

from dataclasses import dataclass

from components.compare.report import formats
from components.compare.report.table import Table, table

USE, DATA, LABELS, STUDY = "Intended use", "Data", "Labels", "The study"
"""Headings of `model_card.md` under which blanks stand."""


@dataclass(frozen=True)
class Blank:
    """What only a person can tell.

    Attributes:
        heading: of `model_card.md`.
        ask: what is to be filled in.
    """

    heading: str
    ask: str


@dataclass(frozen=True)
class Item:
    """A topic of the checklists.

    Attributes:
        topic: in a few words.
        claim: numbers of the items in CLAIM 2024.
        tripod: numbers of the items in TRIPOD+AI.
        where: sections of the report in quotation marks, files and keys of `results.json` in backticks; "" for nowhere.
        blank: what only a person can tell; None if nothing is missing.
    """

    topic: str
    claim: tuple[str, ...]
    tripod: tuple[str, ...]
    where: str = ""
    blank: Blank | None = None


def _item(topic: str, claim: str, tripod: str, where: str = "", blank: Blank | None = None) -> Item:
    return Item(topic, tuple(claim.split()), tuple(tripod.split()), where, blank)


ITEMS = (
    _item("Kind of study and of model", "1", "1", "first screen; “Model card”"),
    _item("Summary", "2", "2", "first screen; `summary.md`"),
    _item(
        "Clinical background",
        "3",
        "3a",
        blank=Blank(USE, "the clinical question, current practice, and existing models for it"),
    ),
    _item(
        "Target population, users, place in care",
        "3",
        "3b",
        blank=Blank(USE, "for which patients the model is meant, who would use it, and at which point of care"),
    ),
    _item(
        "Known inequalities between groups of patients",
        "",
        "3c",
        blank=Blank(USE, "known differences in health or access to care between groups of these patients"),
    ),
    _item(
        "Aims and hypotheses",
        "4 6",
        "4",
        "first screen; “Model card”",
        Blank(STUDY, "hypotheses that were fixed before the run"),
    ),
    _item(
        "Prospective or retrospective",
        "5",
        "5a",
        blank=Blank(STUDY, "whether the images were collected for this study or earlier"),
    ),
    _item(
        "Sources of the data",
        "7",
        "5a",
        "“The data”; `dataset.source`",
        Blank(DATA, "how the images were collected, and whom they represent"),
    ),
    _item("Dates", "", "5b", blank=Blank(DATA, "first and last date of the examinations")),
    _item(
        "Setting, number of centres",
        "",
        "6a",
        blank=Blank(DATA, "number, kind and location of the hospitals or practices"),
    ),
    _item(
        "Inclusion and exclusion",
        "8",
        "6b",
        "“The data” (flow diagram: unusable files, copies); `dataset.flow`",
        Blank(DATA, "criteria by which patients were included or excluded"),
    ),
    _item(
        "Treatments before the examination",
        "",
        "6c",
        blank=Blank(DATA, "treatments, tubes or devices that may be visible or related to the label"),
    ),
    _item(
        "Image acquisition",
        "13",
        "",
        "“Patients and images” (view and manufacturer, from DICOM files)",
        Blank(DATA, "devices, projections and exposure, as far as they are not listed above"),
    ),
    _item("Preparation of the data", "9", "7", "“The data” (resizing); docs/data.md"),
    _item("Selection of a part of the data", "10", "", "“The data” (flow diagram); `dataset.flow`"),
    _item(
        "De-identification",
        "11",
        "",
        "docs/data.md",
        Blank(DATA, "how the source removed names and burnt-in text"),
    ),
    _item(
        "Missing data",
        "12",
        "11",
        "“Quality of the files” (refused files, unknown patients); first screen and `failed`, where a training failed",
    ),
    _item(
        "Definition and choice of the reference standard",
        "14 15",
        "8a",
        blank=Blank(LABELS, "how “pneumonia” and “normal” were defined, and why in this way"),
    ),
    _item(
        "Who made the labels",
        "16 17",
        "8b",
        blank=Blank(LABELS, "who read the images, with which training, and whether the test images were read likewise"),
    ),
    _item(
        "Blinding of the readers",
        "",
        "8c",
        blank=Blank(LABELS, "what else the readers knew, such as clinical findings or the output of a model"),
    ),
    _item(
        "Agreement between readers",
        "18",
        "",
        blank=Blank(LABELS, "number of readers per image and their agreement"),
    ),
    _item("Predictors", "", "9a 9b 9c", "“Model card” (the pixels of one image, nothing else)"),
    _item(
        "Division into splits, by patient",
        "19 20",
        "12a",
        "“The data” (splits); “Quality of the files”; `dataset.seen_in_training`",
    ),
    _item(
        "Sample size",
        "21",
        "10",
        "“The data” (splits, and what this test set can show)",
        Blank(STUDY, "whether and how the number of images was planned"),
    ),
    _item("Description of the model", "22", "12c 22", "“The recipe”; the models of each train step"),
    _item("Software", "23", "", "“Environment”; `run.versions`"),
    _item("Initial weights", "24", "", "“How to reproduce”; `backbone`"),
    _item("Training", "25", "12b 12c", "“The recipe”; “Learning curves”"),
    _item(
        "Choice of the final model",
        "26",
        "12c",
        "“Model card” (what was chosen on the validation images); first screen",
    ),
    _item(
        "Ensembling",
        "27",
        "",
        "none: every regime's result is of single models; a mean over the logits of several seeds is reported apart",
    ),
    _item("Metrics", "28", "12e", "“Evidence”; docs/statistics.md"),
    _item("Uncertainty and tests", "29", "12e", "“Evidence”; “Differences between regimes”; `comparisons`"),
    _item("Robustness and sensitivity", "30", "", "“Robustness”; “Every metric” (several seeds)"),
    _item("Explanations", "31", "", "“Mistakes and explanations”"),
    _item("Evaluation on data of the same source", "32", "", "“Every metric”; `regimes`"),
    _item("Evaluation on other data", "33", "", "“External test set”, where one was given; `external_test`"),
    _item("Differences between centres", "", "12d 23b", "“External test set”, where one was given"),
    _item("Imbalance of the classes", "", "13", "“The data” (class balance); `dataset.class_balance`"),
    _item(
        "Fairness",
        "",
        "14",
        "“Subgroups”; `regimes`",
        Blank(USE, "groups of patients for whom errors would weigh more, and how they were considered"),
    ),
    _item("Output of the model and thresholds", "", "15", "“Every threshold”; “Calibration”"),
    _item("Differences between training and test data", "", "16", "“The data”; “Patients and images”"),
    _item("Recalibration", "", "12f 24", "“Calibration”"),
    _item("How predictions are computed", "", "12g", "docs/predict.md; `predictions.csv` of each evaluation"),
    _item(
        "Registration and protocol",
        "34 42",
        "18c 18d",
        blank=Blank(STUDY, "registration number, and where the protocol can be read"),
    ),
    _item(
        "Ethics approval and consent",
        "",
        "17",
        blank=Blank(STUDY, "name of the ethics committee, its decision, and how consent was given or waived"),
    ),
    _item(
        "Funding and conflicts of interest",
        "44",
        "18a 18b",
        blank=Blank(STUDY, "sources of funding, the role of funders, and conflicts of interest"),
    ),
    _item(
        "Availability of data, models and code",
        "43",
        "18e 18f",
        "“How to reproduce”",
        Blank(STUDY, "where and on which terms images and models are available"),
    ),
    _item(
        "Involvement of patients and the public",
        "",
        "19",
        blank=Blank(STUDY, "whether and how patients took part in planning or interpreting the study"),
    ),
    _item("Flow of files and images", "35", "20a", "“The data” (flow diagram); `dataset.flow`"),
    _item(
        "Characteristics of patients in each split",
        "36",
        "20b 20c",
        "“Patients and images” (age, sex and view, from DICOM files)",
        Blank(DATA, "age, sex and clinical characteristics of the patients, as far as they are not listed above"),
    ),
    _item("Numbers of patients and of pneumonia images", "35", "21", "“The data” (splits); `dataset.splits`"),
    _item("Performance with its uncertainty", "37 38", "23a", "first screen; “Every metric”; `results.csv`"),
    _item("Analysis of the errors", "39", "", "“Mistakes and explanations”"),
    _item(
        "Interpretation, consequences for practice",
        "41",
        "25",
        "first screen",
        Blank(STUDY, "what the results mean beside those of other studies"),
    ),
    _item("Limits", "40", "26", "“Limits”; “Cautions”"),
    _item("Poor or missing input at the time of use", "", "27a", "docs/predict.md; docs/data.md"),
    _item(
        "What users must do and know",
        "",
        "27b",
        blank=Blank(USE, "how users would interact with the model, and which training they need"),
    ),
    _item("Next steps", "41", "27c", blank=Blank(STUDY, "further studies that are needed before any use")),
)
"""Every topic, in the order of a publication."""


def checklist_table() -> Table:
    """The checklist for the report: topic, items of both guidelines, where the answer is."""
    return table(["Topic", "CLAIM 2024", "TRIPOD+AI", "Answered in"], [_row(item, code="") for item in ITEMS])


def _row(item: Item, code: str) -> list[str]:
    """The cells of an item; `code` replaces the backticks around files and keys."""
    numbers = (", ".join(own) or formats.UNKNOWN for own in (item.claim, item.tripod))
    return [item.topic, *numbers, place(item).replace("`", code)]


def place(item: Item) -> str:
    """Where an item is answered; blanks are named as such."""
    blank = f"`model_card.md`, to be filled in: {item.blank.ask}" if item.blank else ""
    return "; ".join(filter(None, (item.where, blank)))


def page() -> str:
    """The content of `docs/reporting.md`."""
    lines = [
        "# Reporting checklist",
        "",
        "Made by `python -m components.compare.report.checklist > docs/reporting.md`.",
        "",
        "Where a run answers the items of two guidelines for publications:",
        "[CLAIM 2024](https://doi.org/10.1148/ryai.240300) (artificial intelligence in medical imaging) and",
        "[TRIPOD+AI](https://doi.org/10.1136/bmj-2023-078378) (prediction models). The numbers are those of the items;",
        "their wording is in the publications. A run answers what can be read from files and measured. What only a",
        "person can tell is a blank in `model_card.md`, which is written next to `report.html`.",
        "",
        "Names in quotation marks are sections of `report.html`; keys are those of `results.json`, described in",
        "[components/artifacts](../components/artifacts/README.md). [data.md](data.md), [statistics.md](statistics.md)",
        "and [predict.md](predict.md) are in this folder.",
        "",
        "| topic | CLAIM 2024 | TRIPOD+AI | answered in |",
        "| --- | --- | --- | --- |",
    ]
    lines += ["| " + " | ".join(_row(item, code="`")) + " |" for item in ITEMS]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(page(), end="")
