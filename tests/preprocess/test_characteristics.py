"""Counts of groups in each split, without small ones."""

import pandas as pd
import pytest

from components.preprocess.characteristics import describe, suppressed


def manifest(rows):
    return pd.DataFrame(rows, columns=["patient", "sex", "view", "split"])


def described(rows):
    table = manifest(rows)
    return describe(table.drop(columns="split"), table["split"])


def test_patients_count_once_and_images_each():
    rows = [(f"p{number // 2}", "female", "PA", "train") for number in range(20)]
    found = described(rows)
    assert found["sex"] == {"female": {"train": 10, "validation": 0, "test": 0}}
    assert found["view"] == {"PA": {"train": 20, "validation": 0, "test": 0}}


def test_dropped_images_do_not_count_and_unknown_ones_come_last():
    rows = [(f"a{number}", "", "PA", "test") for number in range(6)]
    rows += [(f"b{number}", "male", "PA", "test") for number in range(7)]
    rows += [(f"c{number}", "female", "PA", "") for number in range(9)]
    found = described(rows)["sex"]
    assert list(found) == ["male", "unknown"]
    assert {group: counts["test"] for group, counts in found.items()} == {"male": 7, "unknown": 6}


def test_bands_of_age_are_in_the_order_of_age():
    ages = ["18 to 39", "under 1", "80 or older", "6 to 17", "", "1 to 5"]
    table = pd.DataFrame({"patient": list("abcdef"), "age": ages})
    found = describe(table, pd.Series(["train"] * 6))
    assert list(found["age"]) == ["under 1", "1 to 5", "6 to 17", "18 to 39", "80 or older", "unknown"]


@pytest.mark.parametrize("columns", [["patient"], ["patient", "sex"]])
def test_what_no_file_names_is_left_out(columns):
    table = pd.DataFrame([["a", ""]], columns=["patient", "sex"])[columns]
    assert describe(table, pd.Series(["train"])) == {}


@pytest.mark.parametrize(
    ("counts", "shown"),
    [
        ({"a": 5, "b": 9}, {"a": 5, "b": 9}),
        ({"a": 4, "b": 9, "c": 7}, {"a": "<5", "b": 9, "c": "not shown"}),
        ({"a": 1, "b": 1, "c": 7, "d": 8}, {"a": "<5", "b": "<5", "c": "not shown", "d": 8}),
        ({"a": 0, "b": 9}, {"a": 0, "b": 9}),
        ({"a": 2, "b": 0}, {"a": "<5", "b": 0}),
    ],
)
def test_small_counts_cannot_be_computed_from_the_total(counts, shown):
    assert suppressed(counts) == shown
