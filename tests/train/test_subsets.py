"""Label budgets are nested, stratified, of whole patients, and the same whatever else is asked for."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from components.artifacts.prepared_dataset import PreparedDataset, Split
from components.train import subsets


def dataset(train=(40, 80), validation=(10, 20), images=3):
    """So many normal patients and patients with pneumonia in each split, with one to `images` images each."""
    splits = {}
    for name, counts in (("train", train), ("validation", validation), ("test", (5, 5))):
        rows = [
            (f"{name}-{label}-{patient}-{image}", label, f"{name}-{label}-{patient}")
            for label, count in enumerate(counts)
            for patient in range(count)
            for image in range(1 + patient % images)
        ]
        index = pd.DataFrame(rows, columns=["image", "label", "patient"])
        pixels = np.arange(len(index), dtype=np.uint8)[:, None, None].repeat(2, 1).repeat(2, 2)
        splits[name] = Split(name, pixels, index)
    return PreparedDataset(Path(), {}, splits)


def of(data, *budgets, draws=2, seed=1):
    found, left_out = subsets.planned(data, budgets, draws, seed)
    assert not left_out
    return {(own.budget, own.draw): own for own in found}


def patients(data, subset):
    """The patients of a subset by split."""
    return {name: set(data.splits[name].index["patient"].iloc[rows]) for name, rows in subset.rows.items()}


def both(data, subset):
    return set.union(*patients(data, subset).values())


@pytest.mark.parametrize("budget", [20, 21, 50, 77, 100, 149])
def test_a_budget_has_exactly_so_many_patients_with_all_of_their_images(budget):
    data = dataset()
    for subset in of(data, budget).values():
        assert len(both(data, subset)) == budget
        own = subset.of(data)
        for name in ("train", "validation"):
            index, chosen = data.splits[name].index, patients(data, subset)[name]
            expected = index[index["patient"].isin(chosen)]
            assert own.splits[name].index.equals(expected.reset_index(drop=True)), "in the order of the dataset"
            assert own.splits[name].images.tolist() == data.splits[name].images[expected.index].tolist()
        assert own.splits["test"] is data.splits["test"]


def test_a_smaller_budget_of_a_draw_is_part_of_a_greater_one_and_other_draws_have_other_patients():
    data = dataset()
    found = of(data, 20, 50, 100)
    for draw in (1, 2):
        assert both(data, found[20, draw]) < both(data, found[50, draw]) < both(data, found[100, draw])
    assert both(data, found[50, 1]) != both(data, found[50, 2])


@pytest.mark.parametrize("budget", [30, 75, 120])
def test_a_budget_has_the_same_share_of_each_class_in_each_split(budget):
    data = dataset()
    for subset in of(data, budget).values():
        for name, sizes in (("train", (40, 80)), ("validation", (10, 20))):
            for label, size in enumerate(sizes):
                own = [patient for patient in patients(data, subset)[name] if patient.split("-")[1] == str(label)]
                assert abs(len(own) - budget * size / 150) <= 1


def test_a_draw_depends_on_seed_and_number_alone():
    data = dataset()
    alone, among = of(data, 50, draws=1)[50, 1], of(data, 20, 50, 100, draws=9)[50, 1]
    assert both(data, alone) == both(data, among)
    assert both(data, alone) != both(data, of(data, 50, draws=1, seed=2)[50, 1])


def test_who_has_images_in_both_splits_is_one_patient_and_stays_whole():
    shared = [("more-1", 0, "train-1-0"), ("more-2", 1, "train-1-1")]
    data = _with(dataset(), "validation", shared)
    assert subsets.total(data) == 150
    for subset in of(data, 50, 149, draws=5).values():
        assert len(both(data, subset)) == subset.budget
        own = patients(data, subset)
        for patient in ("train-1-0", "train-1-1"):
            assert (patient in own["train"]) == (patient in own["validation"])


def _with(data, name, rows):
    """The dataset with further images of a split."""
    index = pd.concat([data.splits[name].index, pd.DataFrame(rows, columns=["image", "label", "patient"])])
    pixels = np.zeros((len(index), 2, 2), np.uint8)
    return replace(data, splits=data.splits | {name: Split(name, pixels, index.reset_index(drop=True))})


def test_a_budget_of_everybody_or_more_and_one_that_leaves_a_class_out_say_why():
    data = dataset(train=(4, 100), validation=(3, 30))
    found, left_out = subsets.planned(data, [20, 100, 136, 137, 500], 2, 1)
    assert {subset.budget for subset in found} == {100, 136}
    assert left_out["137"] == left_out["500"] == "the dataset has 137 patients for training and validation"
    assert "would leave the train split 1 of them with images of the class NORMAL, and at least 2" in left_out["20"]


def test_everything_is_the_dataset_as_it_is():
    data = dataset()
    every = subsets.everything(data)
    assert every.is_everything(data)
    assert every.budget == 150
    assert all(every.of(data).splits[name] is data.splits[name] for name in data.splits)
    assert not of(data, 149)[149, 1].is_everything(data)
