"""The section on clinical use in words."""

import copy

import pytest

from components.compare.report import clinical, page, summary
from components.compare.report.table import metric_cell
from tests.compare.report.test_page import text_of


@pytest.fixture
def record(in_use):
    return copy.deepcopy(in_use.record)


def test_title_condition_and_harm_are_those_given(record):
    found = clinical.shown(record)
    assert found.title == "Clinical use at a prevalence of 10%"
    assert found.condition.startswith("Not for clinical use.")
    assert "in a population in which 10% have pneumonia, with the same mix of cases" in found.condition
    words = " ".join(found.sentences)
    assert "from 73.8% pneumonia in the validation images" in words
    assert (
        "4 times as bad as a false alarm, treating is better than not treating from a risk of 1/(1 + 4) = 20%" in words
    )
    assert "treating everybody of −0.125" in words
    assert "A model with a lower one than treating nobody is worse than using no model." in words


def test_regimes_are_named_by_what_their_interval_shows(record):
    regimes = clinical.in_use(record["clinical_use"])
    for regime, ends in zip(regimes.values(), ([0.01, 0.02], [-0.02, -0.01], [-0.01, 0.01]), strict=True):
        regime["at_threshold"]["gain"]["ci95"] = ends
    assert [clinical.verdict(regime["at_threshold"]) for regime in regimes.values()] == [
        clinical.BETTER,
        clinical.WORSE,
        clinical.OPEN,
    ]
    assert (
        "compared with treating nobody: the net benefit is higher for Custom CNN; it is lower for Full fine-tuning; "
        "no difference is shown for Logistic regression (baseline)."
    ) in clinical.shown(record).sentences[-1]


def test_where_treating_everybody_is_better_than_nobody_a_model_is_compared_with_that(record):
    record["clinical_use"]["treat_all"] = 0.05
    assert "compared with treating everybody:" in clinical.shown(record).sentences[-1]


def test_without_a_harm_ratio_the_option_for_it_is_named(record):
    record["clinical_use"] |= {"harm_ratio": None, "threshold_probability": None, "treat_all": None}
    words = " ".join(clinical.shown(record).sentences)
    assert "--harm-ratio 4" in words
    assert "treating everybody of" not in words


def test_without_a_prevalence_the_report_says_how_to_give_it(compared):
    assert clinical.shown(compared.results) is None
    html = (compared.folder / "report.html").read_text(encoding="utf-8")
    assert clinical.HINT in text_of(html)
    assert 'id="clinical"' not in html
    assert "Clinical use" not in (compared.folder / "summary.md").read_text(encoding="utf-8")


def test_report_and_summary_have_text_and_tables(record, in_use):
    html, markdown = page.html(record, in_use.inputs, {}), summary.markdown_summary(record, in_use.inputs)
    words, use = text_of(html), record["clinical_use"]
    assert '<a href="#clinical">' in html
    for text in (words, markdown.replace("\\", "")):
        assert str(metric_cell(use["regimes"]["custom_cnn"]["ppv"])) in text
        assert "risk of at least 20%" in text
        assert "only a study in that population can" in text
    assert clinical.HINT not in words
    assert "arXiv:2412.10288" in words
    assert markdown.rstrip().endswith("Not for clinical use.")


@pytest.mark.parametrize(("share", "text"), [(0.1, "10%"), (0.005, "0.5%"), (1 / 3, "33.3%"), (0.999, "99.9%")])
def test_shares_have_as_many_digits_as_they_need(share, text):
    assert clinical.percentage(share) == text
