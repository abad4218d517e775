"""Counts that describe the data."""

import pytest

from components.compare import inputs
from components.compare.stats import described_data

COUNTS = ("images", "patients", "pneumonia")
SPLITS = {
    name: dict(zip(COUNTS, numbers, strict=True))
    for name, numbers in {"train": (100, 80, 75), "validation": (20, 16, 15), "test": (30, 25, 12)}.items()
}


def info(refused=(), dropped=0):
    return {
        "splits": SPLITS,
        "quality": {
            "refused": [{"image": f"{place}.png", "reason": reason} for place, reason in enumerate(refused)],
            "copies": {"dropped": dropped},
        },
    }


def test_every_file_that_was_found_is_used_refused_or_a_copy():
    found = described_data.flow(info(["blank", "blank", "damaged"], dropped=7))
    assert found["found"] == 150 + 7 + 3
    assert found["used"] == 150
    assert found["copies_dropped"] == 7
    assert found["refused"] == [{"reason": "blank", "files": 2}, {"reason": "damaged", "files": 1}]
    assert found["splits"]["test"] == {"images": 30, "patients": 25, "normal": 18, "pneumonia": 12}


def test_reasons_that_differ_in_numbers_only_are_one_group_and_the_most_frequent_is_first():
    refused = [
        "damaged",
        "has 3 x 4 pixels, more than 1",
        "has 30 x 44 pixels, more than 1",
        "2 pictures",
        "2 pictures",
    ]
    found = described_data.refusals([{"image": "", "reason": reason} for reason in refused])
    assert [(group["reason"], group["files"]) for group in found] == [
        ("2 pictures", 2),
        ("has … x … pixels, more than …", 2),
        ("damaged", 1),
    ]


def test_balanced_weights_give_both_classes_the_same_weight_in_the_loss():
    found = described_data.class_balance(SPLITS, [{"class_weights": "balanced"}, {"class_weights": "balanced"}])
    assert found["pneumonia_share"] == {"train": 0.75, "validation": 0.75, "test": 0.4}
    weights = found["class_weights"]
    assert weights["normal"] == pytest.approx(2)
    assert weights["pneumonia"] == pytest.approx(2 / 3)
    assert 25 * weights["normal"] == pytest.approx(75 * weights["pneumonia"])


@pytest.mark.parametrize("recipes", [[], [{}], [{"class_weights": "balanced"}, {}]])
def test_weights_are_not_claimed_where_a_training_does_not_say_so(recipes):
    assert "class_weights" not in described_data.class_balance(SPLITS, recipes)


def test_test_images_of_patients_in_training_are_counted(write):
    index = write.index()
    index["patient_seen"] = index["patient"].isin(["0", "1", "199"]).astype(int)
    given = inputs.load(write.evaluations(["custom_cnn"], index=index), write.summary())
    seen = index[index["patient_seen"] == 1]
    assert described_data.describe(given)["seen_in_training"] == {
        "images": len(seen),
        "pneumonia": int(seen["label"].sum()),
        "patients": 3,
    }
