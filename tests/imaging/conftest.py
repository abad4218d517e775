"""What tests of images share."""

import pytest

from tests.imaging.dicom_files import make_dicom


@pytest.fixture(scope="session")
def write_dicom():
    """Makes a DICOM file: `write_dicom(pixels, syntax, WindowWidth=400, ...)`."""
    return make_dicom
