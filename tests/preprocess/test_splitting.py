import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.console import UserError
from components.preprocess.splitting import split


def manifest(*parts: tuple[str, str, int]) -> pd.DataFrame:
    """Rows of patients with one to three images each; a part is a split, a class and so many patients."""
    rows = []
    for name, label, patients in parts:
        for _ in range(patients):
            patient = f"p{len({row[2] for row in rows})}"
            rows += [(name, label, patient)] * (1 + len(rows) % 3)
    return pd.DataFrame(rows, columns=["split", "label", "patient"])


def both(name: str, normal: int, pneumonia: int) -> list[tuple[str, str, int]]:
    return [(name, "NORMAL", normal), (name, "PNEUMONIA", pneumonia)]


def images(split: str, normal: int, pneumonia: int, start: int = 0) -> pd.DataFrame:
    """Rows with one image a patient; a patient's number tells who it is."""
    labels = ["NORMAL"] * normal + ["PNEUMONIA"] * pneumonia
    return pd.DataFrame({"split": split, "label": labels, "patient": [f"p{start + i}" for i in range(len(labels))]})


def patients(table: pd.DataFrame, splits: pd.Series, name: str) -> set[str]:
    return set(table.loc[splits == name, "patient"])


def share(table: pd.DataFrame, splits: pd.Series, taken: str, rest: tuple[str, ...]) -> str:
    """What the rule has to say of a part taken from patients whose others are in `rest`."""
    of = splits.isin([taken, *rest])
    patients, all_patients = (table.loc[rows, "patient"].nunique() for rows in (splits == taken, of))
    images, all_images = (splits == taken).sum(), of.sum()
    return (
        f"{patients} of {all_patients} patients ({patients / all_patients:.1%}) with {images} of {all_images} images "
        f"({images / all_images:.1%})"
    )


TRAIN_AND_TEST = manifest(*both("train", 60, 140), *both("test", 20, 30))
UNSPLIT = manifest(*both("", 60, 140))


@pytest.mark.parametrize("seed", [0, 1, 2**32 - 1])
@pytest.mark.parametrize("table", [TRAIN_AND_TEST, UNSPLIT], ids=["with a test split", "without any split"])
def test_splits_share_no_patient_and_have_the_classes_in_proportion(table, seed):
    splits, _ = split(table, seed)
    groups = {name: patients(table, splits, name) for name in ("train", "validation", "test")}
    assert not groups["train"] & groups["validation"]
    assert not (groups["train"] | groups["validation"]) & groups["test"]
    assert sum(map(len, groups.values())) == table["patient"].nunique()
    part = len(groups["validation"]) / len(groups["train"] | groups["validation"])
    assert part == pytest.approx(0.15, abs=0.03)
    pneumonia = table["label"] == "PNEUMONIA"
    for name in ("train", "validation"):
        assert pneumonia[splits == name].mean() == pytest.approx(pneumonia[table["split"] != "test"].mean(), abs=0.05)


def test_the_sources_test_split_is_kept():
    splits, rule = split(TRAIN_AND_TEST, 1)
    assert ((splits == "test") == (TRAIN_AND_TEST["split"] == "test")).all()
    assert rule == (
        "The source's test split is kept. "
        f"For validation, {share(TRAIN_AND_TEST, splits, 'validation', ('train',))} are set aside from train."
    )


def test_a_source_without_a_test_split_gives_a_fifth_of_its_patients():
    splits, rule = split(UNSPLIT, 1)
    assert len(patients(UNSPLIT, splits, "test")) == pytest.approx(40, abs=4)
    pneumonia = UNSPLIT["label"] == "PNEUMONIA"
    assert pneumonia[splits == "test"].mean() == pytest.approx(pneumonia.mean(), abs=0.05)
    assert rule == (
        f"The source has no test split: {share(UNSPLIT, splits, 'test', ('train', 'validation'))} "
        f"are set aside for it. "
        f"For validation, {share(UNSPLIT, splits, 'validation', ('train',))} are set aside from train."
    )


def test_a_fresh_split_takes_no_notice_of_the_sources():
    splits, rule = split(TRAIN_AND_TEST, 1, resplit=True)
    unsplit, _ = split(TRAIN_AND_TEST.assign(split=""), 1)
    assert splits.equals(unsplit)
    groups = [patients(TRAIN_AND_TEST, splits, name) for name in ("train", "validation", "test")]
    assert sum(map(len, groups)) == len(set.union(*groups))
    assert rule.startswith("The source's splits are ignored. For the test split, ")


@pytest.mark.parametrize(
    ("normal", "pneumonia", "sentence"),
    [
        (8, 8, "The source's 16 validation images are too few to choose anything on and join train."),
        (50, 50, "The source's 100 validation images are too few to choose anything on and join train."),
        (0, 150, "The source's 150 validation images are of one class only and join train."),
        (51, 50, "The source's validation split is kept."),
    ],
)
def test_only_a_large_validation_split_of_both_classes_is_kept(normal, pneumonia, sentence):
    parts = [images("train", 100, 100), images("validation", normal, pneumonia, 200), images("test", 9, 9, 500)]
    table = pd.concat(parts, ignore_index=True)
    own = table["split"] == "validation"
    splits, rule = split(table, 1)
    assert sentence in rule
    if "kept" in sentence:
        assert (splits == table["split"]).all()
        assert "For validation" not in rule
    else:
        assert (splits[own] == "train").sum() > 0.7 * own.sum()
        assert (splits == "validation").sum() == pytest.approx((splits != "test").sum() * 0.15, rel=0.1)
        assert rule.endswith(
            f"For validation, {share(table, splits, 'validation', ('train',))} are set aside from train."
        )


@pytest.mark.parametrize("own", [16, 120], ids=["validation joins train", "validation is kept"])
def test_a_patient_of_the_sources_validation_split_never_comes_into_a_test_split_made_here(own):
    train, validation = images("train", 80, 80), images("validation", own // 2, own // 2)
    validation["patient"] = train["patient"].sample(own, random_state=0).to_numpy()
    table = pd.concat([train, validation], ignore_index=True)
    splits, _ = split(table, 1)
    test = patients(table, splits, "test")
    assert test
    assert not test & (patients(table, splits, "train") | patients(table, splits, "validation"))


def test_equal_seeds_give_equal_splits_and_others_do_not():
    before = TRAIN_AND_TEST.copy()
    one, again, other = (split(TRAIN_AND_TEST, seed)[0] for seed in (1, 1, 2))
    assert one.equals(again)
    assert not one.equals(other)
    assert TRAIN_AND_TEST.equals(before)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (images("", 1, 9), "only 1 patients of the class NORMAL are left to make a test split from: add images of oth"),
        (images("", 9, 0), "only 0 patients of the class PNEUMONIA are left to make a test split from: add"),
        (images("", 2, 9), "only 1 patients of the class NORMAL are left to make a validation split from: add"),
        (images("test", 9, 9), "only 0 patients of the class NORMAL are left to make a validation split from: add"),
    ],
)
def test_too_few_patients_of_a_class_are_an_error_with_the_remedy(table, message):
    with pytest.raises(UserError, match=message):
        split(table, 1)


def test_many_images_of_one_patient_are_one_patient():
    table = images("", 9, 9)
    table.loc[table["label"] == "NORMAL", "patient"] = "p0"
    with pytest.raises(UserError, match="only 1 patients of the class NORMAL"):
        split(table, 1)


def test_patients_who_cannot_be_divided_are_an_error_with_the_remedy():
    parts = {("p0", "NORMAL"): 13, ("p0", "PNEUMONIA"): 17, ("p2", "NORMAL"): 30, ("p1", "PNEUMONIA"): 31}
    rows = [("", label, patient) for (patient, label), count in parts.items() for _ in range(count)]
    with pytest.raises(UserError, match="no test split by patient has both classes: add images of other patients"):
        split(pd.DataFrame(rows, columns=["split", "label", "patient"]), 0)


@pytest.mark.parametrize("seed", range(3))
def test_three_patients_a_class_are_enough_for_three_splits(seed):
    table = images("", 3, 3)
    splits, _ = split(table, seed)
    assert {(name, label) for name, label in zip(splits, table["label"], strict=True)} == {
        (name, label) for name in ("train", "validation", "test") for label in ("NORMAL", "PNEUMONIA")
    }


ROWS = st.tuples(
    st.sampled_from(["train", "validation", "test", ""]), st.sampled_from(["NORMAL", "PNEUMONIA"]), st.integers(0, 25)
)


@pytest.mark.medium
@settings(max_examples=150, deadline=None)
@given(rows=st.lists(ROWS, min_size=1, max_size=120), seed=st.integers(0, 2**32 - 1), resplit=st.booleans())
def test_whatever_the_dataset_no_patient_is_on_both_sides_of_a_split_made_here(rows, seed, resplit):
    table = pd.DataFrame([(s, label, f"p{who}") for s, label, who in rows], columns=["split", "label", "patient"])
    try:
        splits, rule = split(table, seed, resplit)
    except UserError:
        return  # too few patients; the message is tested above
    assert set(splits) == {"train", "validation", "test"}
    groups = {name: patients(table, splits, name) for name in ("train", "validation", "test")}
    own_test = not resplit and (table["split"] == "test").any()
    if own_test:
        assert ((splits == "test") == (table["split"] == "test")).all()
    else:
        assert not groups["test"] & (groups["train"] | groups["validation"])
    if "validation split is kept" not in rule:
        assert not groups["train"] & groups["validation"]
    for name in ("train", "validation") if own_test else ("train", "validation", "test"):
        assert set(table.loc[splits == name, "label"]) == {"NORMAL", "PNEUMONIA"}
