"""The warning of test patients who are also in training."""

import pytest

from components.compare.report.seen_patients import warning
from tests.compare.conftest import built, render


def test_all_of_one_class_is_said_with_the_result_without_them(write):
    index = write.index()
    index["patient_seen"] = ((index["label"] == 1) & (index["patient"].astype(int) < 10)).astype(int)
    expected = int(index["patient_seen"].sum())
    results = built(write, write.evaluations(["custom_cnn"], index=index))
    text = warning(results)
    assert text.startswith(f"{expected} of 300 test images are of 10 patients who also have images in training")
    assert "(all pneumonia)" in text
    rest = results["regimes"]["custom_cnn"]["subgroups"]["patient new"]["metrics"]["roc_auc"]["value"]
    assert f"Without these images the ROC AUC of this custom CNN is {rest:.3f} (" in text


def test_it_stands_in_the_first_screen_and_in_the_summary(write):
    page, markdown = render(write, write.evaluations(["custom_cnn"]))
    first = page[: page.index("<nav")]
    assert "who also have images in training or validation" in first
    assert "who also have images in training or validation" in markdown


def test_no_such_patient_gives_no_warning(write):
    folders = write.evaluations(["custom_cnn"], index=write.index().assign(patient_seen=0))
    assert warning(built(write, folders)) == ""
    assert "also have images in training" not in render(write, folders)[0]


def test_older_results_have_no_such_count(write):
    results = built(write, write.evaluations(["custom_cnn"]))
    del results["dataset"]["seen_in_training"]
    assert warning(results) == ""


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ((0,), "1 of 300 test images is of 1 patient who also has images in training or validation (pneumonia)"),
        (
            (0, 299),
            "2 of 300 test images are of 2 patients who also have images in training or validation (1 pneumonia, 1",
        ),
        ((299,), "(normal)"),
    ],
)
def test_classes_and_numbers_are_in_words(write, rows, words):
    index = write.index().assign(patient_seen=0)
    index.loc[list(rows), "patient_seen"] = 1
    assert words in warning(built(write, write.evaluations(["custom_cnn"], index=index)))


def test_without_a_class_left_no_result_is_claimed(write):
    index = write.index()
    index["patient_seen"] = (index["label"] == 1).astype(int)
    assert "Without these images" not in warning(built(write, write.evaluations(["custom_cnn"], index=index)))
