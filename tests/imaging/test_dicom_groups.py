"""The coarse groups that are read from DICOM files."""

import numpy as np
import pytest

from components.artifacts.names import AGE_BANDS
from components.imaging.dicom import radiograph
from components.imaging.dicom_groups import AGE_ENDS
from components.imaging.formats import inspect

RAMP = np.arange(256, dtype=np.uint8).reshape(16, 16)


def groups(write_dicom, **tags):
    return radiograph(write_dicom(RAMP, **tags), 10**6).groups


def test_sex_age_view_and_manufacturer_become_coarse_groups(write_dicom):
    tags = {"PatientSex": "F", "PatientAge": "045Y", "ViewPosition": "PA", "Manufacturer": "SIEMENS Healthineers"}
    expected = {"sex": "female", "age": "40 to 59", "view": "PA", "manufacturer": "Siemens"}
    assert groups(write_dicom, **tags) == expected
    assert inspect(write_dicom(RAMP, **tags)).groups == expected


def test_absent_and_empty_tags_give_no_group(write_dicom):
    assert groups(write_dicom) == {}
    assert groups(write_dicom, PatientSex="", PatientAge="", ViewPosition="", Manufacturer="") == {}


@pytest.mark.parametrize(
    ("age", "band"),
    [
        *(("000Y", "under 1"), ("011M", "under 1"), ("012M", "1 to 5"), ("051W", "under 1"), ("364D", "under 1")),
        *(("005Y", "1 to 5"), ("006Y", "6 to 17"), ("017Y", "6 to 17"), ("018Y", "18 to 39"), ("039Y", "18 to 39")),
        *(("040Y", "40 to 59"), ("060Y", "60 to 79"), ("079Y", "60 to 79"), ("080Y", "80 or older")),
        ("104Y", "80 or older"),
    ],
)
def test_ages_are_bands_of_completed_years(write_dicom, age, band):
    assert groups(write_dicom, PatientAge=age) == {"age": band}
    assert len(AGE_ENDS) == len(AGE_BANDS)


@pytest.mark.parametrize("age", ["45", "Y045", "Jane Doe"])
@pytest.mark.filterwarnings("ignore")
def test_an_age_that_is_none_counts_as_unknown(write_dicom, age):
    assert groups(write_dicom, PatientAge=age) == {}


@pytest.mark.parametrize(
    ("view", "group"),
    [("AP", "AP"), ("LL", "lateral"), ("RL", "lateral"), ("LATERAL", "lateral"), ("OBLIQUE", "other")],
)
def test_views(write_dicom, view, group):
    assert groups(write_dicom, ViewPosition=view) == {"view": group}


@pytest.mark.parametrize(
    ("text", "group"),
    [
        *(("GE Healthcare", "GE"), ("FUJIFILM Corporation", "Fuji"), ("Philips Medical Systems", "Philips")),
        *(("Geneva, ward of Jane Doe", "other"), ("KONICA MINOLTA", "Konica"), ("Doe^Jane", "other")),
    ],
)
def test_of_the_manufacturer_only_known_names_are_carried_on(write_dicom, text, group):
    assert groups(write_dicom, Manufacturer=text) == {"manufacturer": group}


@pytest.mark.filterwarnings("ignore")
def test_no_text_of_the_file_is_carried_on(write_dicom):
    found = groups(write_dicom, PatientSex="Jane", ViewPosition="JANE DOE", Manufacturer="Jane Doe", PatientAge="Jane")
    assert found == {"sex": "other", "view": "other", "manufacturer": "other"}
