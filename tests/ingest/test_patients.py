import hashlib
import hmac
import re

import pytest

from components.ingest.patients import fingerprint_for_key, key_of, patient_of, pseudonym


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


def test_a_pseudonym_depends_on_patient_and_key_and_shows_neither():
    names = {pseudonym(patient, key) for patient in ("4711", "4712") for key in (b"one", b"other")}
    assert len(names) == 4
    assert pseudonym("4711", b"one") == pseudonym("4711", b"one")
    assert all(re.fullmatch("patient-[0-9a-f]{16}", name) for name in names)
    # Known answer: HMAC-SHA256 as any other program computes it.
    assert pseudonym("4711", b"one") == f"patient-{hmac.new(b'one', b'4711', 'sha256').hexdigest()[:16]}"


def test_the_key_of_a_dataset_depends_on_all_of_its_files_and_not_on_their_order():
    one, other, third = (fingerprint_for_key(content) for content in (b"1", b"2", b"3"))
    assert key_of([one, other]) == key_of([other, one]) != key_of([one, third])
    assert one != hashlib.sha256(b"1").digest()
