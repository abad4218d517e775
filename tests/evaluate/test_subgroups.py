import numpy as np
import pandas as pd
import pytest

from components.artifacts.prepared_dataset import Split
from components.evaluate.subgroups import describe, subtype_of


@pytest.mark.parametrize(
    ("image", "subtype"),
    [
        ("test/PNEUMONIA/person1_virus_6.jpeg", "virus"),
        ("test/PNEUMONIA/person100_bacteria_475.jpeg", "bacteria"),
        ("PERSON3_VIRUS_1.JPEG", "virus"),
        ("test/NORMAL/IM-0001-0001.jpeg", ""),
        ("virus/person1_fungus_2.jpeg", ""),
        ("person_virus_2.jpeg", ""),
    ],
)
def test_the_kind_of_pneumonia_is_read_from_the_name(image, subtype):
    assert subtype_of(image) == subtype


def split(name, patients):
    index = pd.DataFrame({"image": [f"{patient}.png" for patient in patients], "label": 0, "patient": patients})
    return Split(name, np.zeros((len(patients), 2, 2), np.uint8), index)


def test_patients_of_earlier_splits_are_marked_as_seen():
    test = split("test", ["a", "b", "c", "b"])
    found = describe(test, [split("train", ["b", "x"]), split("validation", ["c"])])
    assert found["patient_seen"].tolist() == [0, 1, 1, 1]
    assert list(found["image"]) == list(test.index["image"])
    assert "patient_seen" not in test.index
