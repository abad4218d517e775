"""The model card: what is known is filled in, what only a person can tell is a blank."""

import re

import pytest

from components.compare import inputs
from components.compare.report import checklist
from components.compare.report.model_card import mermaid, model_card
from components.compare.report.table import metric_cell
from tests.compare.conftest import HOSTILE, make_record


@pytest.fixture(scope="module")
def card(compared):
    return (compared.folder / "model_card.md").read_text(encoding="utf-8")


def section(card, heading):
    return re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", card, re.DOTALL | re.MULTILINE).group(1)


def test_it_has_its_sections_in_order(card):
    headings = re.findall(r"^## (.*)$", card, re.MULTILINE)
    assert headings == [
        *("The models", "Intended use", "Data", "Labels", "Training", "Performance", "Limits", "The study"),
    ]


def test_every_blank_stands_once_under_its_heading(card):
    asked = [item.blank for item in checklist.ITEMS if item.blank]
    assert card.count("_To be filled in:") == len(asked)
    for blank in asked:
        assert f"_To be filled in: {blank.ask}._" in section(card, blank.heading)


def test_what_was_measured_is_filled_in(card, compared):
    regime = compared.results["regimes"]["full_fine_tuning"]
    assert str(metric_cell(regime["metrics"]["roc_auc"])) in section(card, "Performance")
    assert "| Test | 300 | 200 | 114 (38.0%) | 186 (62.0%) |" in section(card, "Data")
    assert "A processor, 2 cores, 16 GB, no GPU" in section(card, "Training")
    assert "62.0% of the test images show pneumonia" in section(card, "Limits")
    assert "No images of another source were tested." in card


def test_the_flow_is_a_diagram_that_text_cannot_break():
    counts = {"images": 1, "patients": 1, "normal": 0, "pneumonia": 1}
    reason = 'a "quoted" ``` reason\n<b>'
    text = mermaid(
        {
            **{"found": 1003, "copies_dropped": 2, "used": 1000, "splits": {"test": counts}},
            "refused": [{"reason": reason, "files": 1}],
        }
    )
    assert 'found["1,003 files found"] --> used["1,000 images used"]' in text
    assert "1 refused: 1 a 'quoted' ''' reason ‹b›\"]" in text
    assert 'used --> test["test: 1 image of 1 patient, 0 normal, 1 pneumonia"]' in text
    assert text.count("```") == 2


def test_an_external_test_set_is_in_it_and_hostile_names_are_escaped(write):
    index = write.index()
    folders = write.evaluations(["custom_cnn"], external=index.assign(image=index["image"] + "x"))
    given = inputs.load(folders, write.summary(description=HOSTILE))
    card = model_card(make_record(given, HOSTILE), given)
    assert "Another &lt;b&gt;hospital&lt;/b&gt;" in card
    assert "No images of another source" not in card
    assert "<script>" not in card
    assert "<img" not in card
