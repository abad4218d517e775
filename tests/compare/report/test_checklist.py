"""The reporting checklist: complete, true to the report, and the same in docs/reporting.md."""

import json
import re
from pathlib import Path

import pytest

from components.compare.report import checklist
from components.compare.report.page import TEMPLATES
from tests.compare.report.test_page import text_of

PROJECT = Path(__file__).parents[3]
CLAIM = {str(number) for number in range(1, 45)}
PARTS = {3: "abc", 5: "ab", 6: "abc", 8: "abc", 9: "abc", 12: "abcdefg", 18: "abcdef", 20: "abc", 23: "ab", 27: "abc"}
TRIPOD = {f"{number}{part}" for number in range(1, 28) for part in PARTS.get(number, [""])}


def test_every_item_of_both_guidelines_is_there():
    assert {number for item in checklist.ITEMS for number in item.claim} == CLAIM
    assert {number for item in checklist.ITEMS for number in item.tripod} == TRIPOD


def test_every_topic_is_answered_somewhere_or_is_a_blank():
    assert [item.topic for item in checklist.ITEMS if not item.where and not item.blank] == []
    topics = [item.topic for item in checklist.ITEMS]
    assert len(topics) == len(set(topics))


def test_the_sections_that_it_names_are_in_the_report():
    template = (TEMPLATES / "report.html.j2").read_text(encoding="utf-8")
    headings = set(re.findall(r"<h[23][^>]*>(.*?)</h", template))
    named = {name for item in checklist.ITEMS for name in re.findall("“(.*?)”", item.where)}
    assert named - headings == set()


def test_the_keys_and_files_that_it_names_exist(compared):
    results = json.loads((compared.folder / "results.json").read_text(encoding="utf-8"))
    named = {name for item in checklist.ITEMS for name in re.findall("`(.*?)`", item.where)}
    files = {name for name in named if name.endswith((".md", ".csv", ".html"))}
    assert all((compared.folder / name).exists() for name in files - {"predictions.csv"})
    for key in named - files - {"external_test", "failed"}:
        found = results
        for part in key.split("."):
            assert part in found, key
            found = found[part]
    assert {part for item in checklist.ITEMS for part in re.findall(r"docs/[a-z]+\.md", item.where)} <= {
        f"docs/{path.name}" for path in (PROJECT / "docs").glob("*.md")
    }


def test_the_documentation_is_made_from_it():
    assert (PROJECT / "docs" / "reporting.md").read_text(encoding="utf-8") == checklist.page(), (
        "run python -m components.compare.report.checklist > docs/reporting.md"
    )


def test_the_report_has_it(compared):
    page = (compared.folder / "report.html").read_text(encoding="utf-8")
    text = text_of(page[page.index('id="checklist"') :])
    assert f"{len(checklist.ITEMS)} topics" in text
    assert "Ethics approval and consent – 17 model_card.md, to be filled in: name of the ethics committee" in text


@pytest.mark.parametrize("heading", [checklist.USE, checklist.DATA, checklist.LABELS, checklist.STUDY])
def test_every_heading_of_the_card_has_a_blank(heading):
    assert any(item.blank and item.blank.heading == heading for item in checklist.ITEMS)


def test_no_blank_stands_under_another_heading():
    known = {checklist.USE, checklist.DATA, checklist.LABELS, checklist.STUDY}
    assert {item.blank.heading for item in checklist.ITEMS if item.blank} == known
