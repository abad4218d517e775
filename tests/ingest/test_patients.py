import pytest

from components.ingest.patients import patient_of


@pytest.mark.parametrize(
    ("name", "patient"),
    [
        ("person12_bacteria_45.jpeg", "person12"),
        ("person1_virus_6.jpeg", "person1"),
        ("IM-0115-0001.jpeg", "IM-0115"),
        ("IM-0115-0001-0002.jpeg", "IM-0115"),
        ("NORMAL2-IM-0115-0001.jpeg", "NORMAL2-IM-0115"),
        ("Person7_virus_1.JPEG", "Person7"),
    ],
)
@pytest.mark.parametrize("folder", ["", "train/NORMAL/", "person9_x/IM-1-1/"])
def test_kaggles_names_tell_the_patient_in_any_folder(folder, name, patient):
    assert patient_of(folder + name) == (patient, True)


@pytest.mark.parametrize(
    "name",
    [
        *("person_bacteria_1.jpeg", "person12.jpeg", "person12-1.jpeg", "aperson12_virus_1.jpeg"),
        *("IM-0115.jpeg", "IM0115-0001.jpeg", "XIM-0115-0001.jpeg", "NORMAL3-IM-0115-0001.jpeg", "NORMAL2-0115-1.jpeg"),
        *("00000001_000.png", "person1_x/scan.png"),
    ],
)
def test_an_image_with_another_name_is_its_own_patient(name):
    assert patient_of(f"train/NORMAL/{name}") == (f"train/NORMAL/{name}", False)
