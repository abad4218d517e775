"""The flow diagram and the balance of the classes in the report."""

import re

from components.compare import inputs
from components.compare.report import page
from components.compare.report.model_card import model_card
from tests.compare.conftest import make_record, render
from tests.compare.report.test_page import text_of


def diagram(shown):
    return text_of(re.search(r'<div class="flow".*?</div>', shown, re.DOTALL).group(0))


def test_the_diagram_leads_from_files_to_classes_in_splits(write):
    refused = [{"image": f"{place}.png", "reason": "the file ends too early"} for place in range(3)]
    text = diagram(render(write, write.evaluations(["custom_cnn"]), refused=refused)[0])
    assert "5,535 files found 3 refused: 3 the file ends too early 0 left out as copies of others" in text
    assert "5,532 images used" in text
    assert "Test: 300 images 200 patients 114 normal, 186 pneumonia" in text


def test_only_the_most_frequent_reasons_are_listed(write):
    words = ["empty", "damaged", "blank", "colour", "pages", "names", "bits", "tags"]
    refused = [{"image": "x", "reason": f"<b>{word}</b>"} for word in words] + [{"image": "x", "reason": "often"}] * 2
    shown, _ = render(write, write.evaluations(["custom_cnn"]), refused=refused)
    assert "10 refused: 2 often" in diagram(shown)
    assert "3 other reasons" in diagram(shown)
    assert "<b>blank" not in shown


def test_the_share_of_pneumonia_is_given_for_each_split(write):
    shown, _ = render(write, write.evaluations(["custom_cnn"]))
    assert "Share of pneumonia: 74.3% in train, 73.8% in validation and 62.0% in test." in text_of(shown)
    assert "In the training loss" not in shown


def test_groups_of_patients_are_shown_where_files_name_them(write):
    folders = write.evaluations(["custom_cnn"])
    assert "<h3>Patients and images" not in render(write, folders)[0]
    given = inputs.load(folders, write.summary())
    counts = {"train": 80, "validation": "<5", "test": "not shown"}
    given.dataset.info["characteristics"] = {"sex": {"female": counts}}
    record = make_record(given)
    text = text_of(page.html(record, given, {}))
    assert "Sex (patients) female 80 &lt;5 not shown" in text
    card = model_card(record, given)
    assert "| Sex (patients) | female | 80 | &lt;5 | not shown |" in card
