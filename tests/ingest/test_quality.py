import pandas as pd
import pytest

from components.ingest.quality import describe


def manifest(*rows: tuple[str, str, str, str, str]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["image", "label", "split", "patient", "sha256"])


def test_counts_are_by_split_and_class_with_zeros():
    found = describe(
        manifest(
            ("a", "NORMAL", "test", "p1", "1"),
            ("b", "NORMAL", "train", "p1", "2"),
            ("c", "PNEUMONIA", "train", "p2", "3"),
            ("d", "PNEUMONIA", "train", "p3", "4"),
        )
    )
    assert (found["images"], found["patients"]) == (4, 3)
    assert found["counts"] == {"train": {"NORMAL": 1, "PNEUMONIA": 2}, "test": {"NORMAL": 1, "PNEUMONIA": 0}}
    assert list(found["counts"]) == ["train", "test"]


def test_images_without_a_split_are_counted_as_unsplit():
    found = describe(manifest(("a", "NORMAL", "", "p1", "1"), ("b", "PNEUMONIA", "", "p2", "2")))
    assert found["counts"] == {"unsplit": {"NORMAL": 1, "PNEUMONIA": 1}}
    assert found["patients_in_several_splits"] == {"count": 0, "examples": []}


def test_duplicates_are_counted_across_splits_and_classes():
    found = describe(
        manifest(
            ("z", "NORMAL", "train", "p1", "same split"),
            ("b", "NORMAL", "train", "p1", "same split"),
            ("c", "NORMAL", "train", "p1", "same split"),
            ("d", "NORMAL", "train", "p2", "two splits"),
            ("e", "NORMAL", "test", "p3", "two splits"),
            ("f", "NORMAL", "test", "p3", "two classes"),
            ("g", "PNEUMONIA", "test", "p4", "two classes"),
            ("h", "NORMAL", "train", "p5", "both"),
            ("i", "PNEUMONIA", "test", "p6", "both"),
            ("j", "NORMAL", "train", "p7", "alone"),
            ("k", "NORMAL", "train", "p8", "two classes again"),
            ("l", "PNEUMONIA", "train", "p9", "two classes again"),
        )
    )["duplicates"]
    assert found == {
        **{"groups": 5, "images": 11, "across_splits": 2, "across_classes": 3},
        "examples": [["b", "c", "z"], ["d", "e"], ["f", "g"], ["h", "i"], ["k", "l"]],
    }


def test_without_duplicates_every_count_is_zero():
    found = describe(manifest(("a", "NORMAL", "train", "p", "1"), ("b", "PNEUMONIA", "train", "q", "2")))
    assert found["duplicates"] == {
        **{"groups": 0, "images": 0, "across_splits": 0, "across_classes": 0},
        "examples": [],
    }


def test_patients_in_several_splits_are_counted_once_each():
    found = describe(
        manifest(
            ("a", "NORMAL", "train", "p2", "1"),
            ("b", "NORMAL", "test", "p2", "2"),
            ("c", "NORMAL", "validation", "p2", "3"),
            ("d", "NORMAL", "train", "p1", "4"),
            ("e", "PNEUMONIA", "validation", "p1", "5"),
            ("f", "PNEUMONIA", "train", "p3", "6"),
            ("g", "PNEUMONIA", "train", "p3", "7"),
        )
    )
    assert found["patients_in_several_splits"] == {"count": 2, "examples": ["p1", "p2"]}


@pytest.mark.parametrize("finding", ["duplicates", "patients_in_several_splits"])
def test_ten_examples_of_a_finding_are_named(finding):
    rows = [(f"{split}{i}", "NORMAL", split, f"p{i:02}", str(i)) for i in range(11) for split in ("train", "test")]
    found = describe(manifest(*rows))[finding]
    assert found.get("count", found.get("groups")) == 11
    assert len(found["examples"]) == 10
