"""Axes, sections, paragraphs: what pages are made of."""

import pytest

from components.gate.verdict import QUALITY, TIME, Alarm, Verdict
from components.trend.axes import axis, thinned
from components.trend.paragraph import inserted
from components.trend.sections import letters, sections
from tests.trend.runs import shown, text, tree


@pytest.mark.parametrize(
    ("values", "least", "labels"),
    [
        ([0.91, 0.99], 0.02, ["0.925", "0.950", "0.975"]),
        ([0.98, 0.98], 0.02, ["0.970", "0.975", "0.980", "0.985", "0.990"]),
        ([900, 905], 135, ["850", "900", "950"]),
        ([5000, 12000], 10, ["5,000", "7,500", "10,000"]),
        ([0, 0], 0, ["0"]),
    ],
)
def test_axes_have_round_numbers_around_the_values(values, least, labels):
    found = axis(values, least)
    assert found.low <= min(values) <= max(values) <= found.high
    assert found.high - found.low >= 0.99 * least
    shown_labels = [found.label(tick) for tick in found.ticks]
    assert shown_labels == labels if values != [0, 0] else len(set(shown_labels)) == len(shown_labels)


def test_axes_end_where_the_quantity_does():
    found = axis([0.97, 1.0], 0.02, 0, 1.0)
    assert found.high == 1.0
    assert axis([0.1, 3.0], 1, 0).low == 0


def test_labels_are_thinned_with_the_first_and_the_last():
    assert thinned(2, 3) == [0, 1]
    assert thinned(52, 3) in ([0, 26, 51], [0, 25, 51])
    assert thinned(1, 3) == [0]


def test_datasets_are_named_like_columns():
    assert [letters(number) for number in (0, 25, 26, 51, 52, 701, 702)] == ["A", "Z", "AA", "AZ", "BA", "ZZ", "AAA"]


def test_a_new_version_of_a_source_stays_in_its_section_and_another_size_does_not():
    runs = [
        shown(0, source="the dataset a/b of Kaggle, version 1", path="a/b"),
        shown(1, source="the dataset a/b of Kaggle, version 2", path="a/b", fingerprint="2"),
    ]
    (section,) = sections(runs)
    assert section.title == "The dataset a/b of Kaggle, version 2 · 96 px"
    assert [dataset.mark for dataset in section.datasets.values()] == ["A", "B"]
    small = shown(2, source="the dataset a/b of Kaggle, version 2", path="a/b")
    small.run.parameters["image_size"] = "48"
    assert len(sections([*runs, small])) == 2


def test_runs_are_in_the_order_of_their_start_whatever_order_they_are_given_in():
    runs = [shown(week) for week in (3, 1, 2, 0)]
    assert [one.run.id for one in sections(runs)[0].runs] == ["id0", "id1", "id2", "id3"]


REPORT = '<main><div><section id="history" hidden></section>\n<p>rest</p></div></main>'
FIGURES = {
    "custom_cnn": {"champion": 0.93, "challenger": 0.9181, "difference": -0.0119},
    "full_fine_tuning": {"champion": 0.98, "challenger": 0.98, "difference": 0.0},
}


def history_of(report):
    (section,) = (element for element in tree(report).iter("section") if element.get("id") == "history")
    assert "hidden" not in section.attrib
    return section


def test_the_report_says_how_the_run_compares_with_the_champion():
    found = history_of(inserted(REPORT, Verdict("id", "20260105-030000", quality=FIGURES, warnings=("little power",))))
    assert text(found.find("p")) == (
        "No alarm. Compared with the champion 20260105-030000 on the same test images: no regime is shown to be worse."
    )
    assert [text(item) for item in found.iter("li")] == [
        "ROC AUC, and the difference from the champion's: Custom CNN 0.918 (−0.012); Full fine-tuning 0.980 (the "
        "same).",
        "little power",
    ]


def test_alarms_stand_first_in_the_report_and_are_escaped():
    alarms = (Alarm(TIME, "custom_cnn", "slower <b>"), Alarm(TIME, "full_fine_tuning", "much slower"))
    found = history_of(inserted(REPORT, Verdict("id", "x", alarms, quality=FIGURES)))
    assert [text(p) for p in found.findall("p")][:2] == ["Alarm: slower <b>", "Alarm: much slower"]
    assert {p.get("class") for p in found.findall("p")[:2]} == {"caution"}
    assert "on the same test images: no regime is shown to be worse." in text(found)
    assert "No alarm" not in text(found)
    worse = Verdict("id", "x", (Alarm(QUALITY, "custom_cnn", "reason"),), quality=FIGURES)
    assert "on the same test images: Custom CNN worse." in text(history_of(inserted(REPORT, worse)))
    waiting = history_of(inserted(REPORT, Verdict("id", "x", alarms, suspected=True)))
    assert text(waiting.find("p")) == "Not confirmed yet: slower <b>"


@pytest.mark.parametrize(
    ("verdict", "sentence"),
    [
        (
            Verdict(promoted=True),
            "No alarm. The first run on these data: there is no champion to compare its quality with. This run became "
            "the champion, with which later ones are compared.",
        ),
        (Verdict("id", "gone"), "No alarm. Quality could not be compared with that of the champion gone."),
    ],
)
def test_the_report_of_a_run_without_a_comparison_says_why(verdict, sentence):
    assert text(history_of(inserted(REPORT, verdict)).find("p")) == sentence


def test_a_report_has_one_paragraph_however_often_it_is_written():
    once = inserted(REPORT, Verdict("id", "first", quality=FIGURES))
    again = inserted(once, Verdict("id", r"second \1", quality=FIGURES))
    assert "first" not in again
    assert text(history_of(again)).count("second") == 1
    assert r"second \1" in again
    assert again.endswith("\n<p>rest</p></div></main>")


def test_a_report_without_a_place_for_it_stays_as_it_is():
    assert inserted("<main></main>", Verdict("id", "x")) == "<main></main>"
