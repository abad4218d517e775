"""The subgroups of a test set."""

import numpy as np
import pandas as pd
import pytest

from components.compare import inputs, subgroups
from tests.compare.conftest import built, render


def table(**columns):
    size = len(next(iter(columns.values())))
    return pd.DataFrame({"label": np.arange(size) % 2, "subtype": "", "patient_seen": 0} | columns)


def sizes(**columns):
    return {name: int(rows.sum()) for name, rows in subgroups.subgroups(table(**columns)).items()}


def test_groups_that_files_name_are_subgroups_in_the_order_of_names_and_ages():
    assert sizes(
        sex=["male"] * 40 + ["female"] * 60,
        age=["18 to 39"] * 40 + ["1 to 5"] * 60,
        view=["PA"] * 100,
    ) == {"sex female": 60, "sex male": 40, "age 1 to 5": 60, "age 18 to 39": 40}


@pytest.mark.parametrize(("count", "shown"), [(38, False), (40, True)])
def test_a_subgroup_has_enough_images_of_both_classes(count, shown):
    assert ("sex male" in sizes(sex=["male"] * count + ["female"] * 60)) == shown
    unequal = table(sex=["male"] * 50 + ["female"] * 60).assign(label=[1] * 31 + [0] * 19 + [0, 1] * 30)
    assert "sex male" not in subgroups.subgroups(unequal)


def test_the_size_of_a_small_rest_does_not_follow_from_the_others():
    assert sizes(sex=["female"] * 60 + ["male"] * 44 + ["other"] * 4) == {"sex female": 60}
    assert sizes(sex=["female"] * 60 + ["male"] * 44 + ["other"] * 5) == {"sex female": 60, "sex male": 44}
    assert sizes(sex=["female"] * 60 + ["other"] * 3) == {}


def test_images_of_unknown_groups_are_in_no_subgroup():
    assert sizes(sex=["female"] * 60 + [""] * 40) == {"sex female": 60}


def test_they_are_evaluated_and_shown(write):
    index = write.index()
    index["sex"] = np.where(np.arange(len(index)) % 2, "female", "male")
    folders = write.evaluations(["custom_cnn", "full_fine_tuning"], index=index)
    found = built(write, folders)["regimes"]["custom_cnn"]["subgroups"]["sex female"]
    assert found["images"] == 150
    assert set(found["metrics"]) == {"roc_auc", "recall", "specificity", "accuracy"}
    assert "sex female" in render(write, folders)[0]


def test_evaluations_without_such_columns_have_no_such_subgroups(write):
    given = inputs.load(write.evaluations(["custom_cnn"]), write.summary())
    assert set(given.subgroups) == {"bacteria", "virus", "patient seen in training", "patient new"}
