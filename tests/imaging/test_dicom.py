import io

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom import uid

from components.imaging import dicom
from components.imaging.dicom import SYNTAXES, is_dicom, read

RAMP = np.arange(256, dtype=np.uint8).reshape(16, 16)
WHOLE = {"WindowCenter": 128, "WindowWidth": 256}
"""The window that shows 8 bits as they are."""


def shown(content: bytes) -> np.ndarray:
    return read(content, 10**6)[0]


def refused(content: bytes) -> str:
    with pytest.raises(ValueError, match=r".") as raised:
        read(content, 10**6)
    return str(raised.value)


def test_a_window_of_the_whole_range_shows_the_stored_values(write_dicom):
    pixels, patient = read(write_dicom(RAMP, **WHOLE), 10**6)
    assert pixels.dtype == np.uint8
    assert (pixels == RAMP).all()
    assert patient == "\n4711"


def test_low_values_are_white_in_monochrome1(write_dicom):
    assert (shown(write_dicom(RAMP, PhotometricInterpretation="MONOCHROME1", **WHOLE)) == 255 - RAMP).all()


def test_a_window_cuts_what_is_below_and_above(write_dicom):
    # PS3.3 C.11.2.1.2.1: from centre - 0.5 - (width - 1) / 2 to centre - 0.5 + (width - 1) / 2.
    result = shown(write_dicom(RAMP, WindowCenter=100.5, WindowWidth=51))
    expected = np.round(255 * np.clip((RAMP.astype(float) - 75) / 50, 0, 1))
    assert np.abs(result - expected).max() <= 1  # halves may be rounded either way
    assert (result.ravel()[[75, 100, 125, 200]] == [0, 128, 255, 255]).all()


def test_an_exact_window_has_other_ends(write_dicom):
    result = shown(write_dicom(RAMP, WindowCenter=100, WindowWidth=50, VOILUTFunction="LINEAR_EXACT"))
    assert np.abs(result - 255 * np.clip((RAMP.astype(float) - 75) / 50, 0, 1)).max() < 0.51


def test_a_sigmoid_window_has_its_middle_at_the_centre(write_dicom):
    result = shown(write_dicom(RAMP, WindowCenter=100, WindowWidth=50, VOILUTFunction="SIGMOID")).ravel()
    assert result[100] == pytest.approx(127.5, abs=0.5)
    assert result[125] == round(255 / (1 + np.exp(-2)))
    assert result[0] < 1


def test_the_first_of_several_windows_counts(write_dicom):
    several = write_dicom(RAMP, WindowCenter=[128, 10], WindowWidth=[256, 20])
    assert (shown(several) == RAMP).all()


def test_stored_values_are_rescaled_before_the_window(write_dicom):
    content = write_dicom(RAMP, RescaleSlope=2, RescaleIntercept=-1000, WindowCenter=-744.5, WindowWidth=511)
    assert (shown(content) == RAMP).all()


@pytest.mark.parametrize("kind", [np.int16, np.uint32, np.uint16])
def test_12_bits_with_or_without_sign_come_out_whole(write_dicom, kind):
    stored = (np.arange(4096).reshape(64, 64) - (2048 if kind == np.int16 else 0)).astype(kind)
    centre = 0 if kind == np.int16 else 2048
    bits = {"BitsStored": 12, "HighBit": 11}
    result = shown(write_dicom(stored, WindowCenter=centre, WindowWidth=4096, **bits))
    assert (result.ravel() == np.round(np.arange(4096) * (255 / 4095))).all()


def test_without_a_window_all_but_the_outermost_values_are_shown(write_dicom):
    stored = np.random.default_rng(0).normal(2000, 200, (100, 100)).round().astype(np.uint16)
    stored[0, :4] = 65_535
    result = shown(write_dicom(stored))
    assert (result == 0).mean() == pytest.approx(0.005, abs=0.002)
    assert (result == 255).mean() == pytest.approx(0.005, abs=0.002)
    assert abs(int(np.median(result)) - 127) < 8


def test_padding_is_black_and_does_not_count_as_a_value(write_dicom):
    stored = np.random.default_rng(0).integers(1000, 2000, (40, 40)).astype(np.uint16)
    clean = shown(write_dicom(stored))
    stored[:8] = 60_000
    for kind in ("MONOCHROME1", "MONOCHROME2"):
        padded = shown(write_dicom(stored, PixelPaddingValue=60_000, PhotometricInterpretation=kind))
        assert (padded[:8] == 0).all()
        expected = clean if kind == "MONOCHROME2" else 255 - clean
        assert np.abs(padded[8:].astype(int) - expected[8:]).max() <= 3
    stored[:] = 60_000
    assert refused(write_dicom(stored, PixelPaddingValue=60_000)) == "the DICOM image is nothing but padding"


def test_a_table_of_interest_is_looked_up(write_dicom):
    table = pydicom.Dataset()
    table.LUTDescriptor = [256, 0, 16]
    table.LUTData = [65_535 - 257 * value for value in range(256)]
    table["LUTDescriptor"].VR, table["LUTData"].VR = "US", "US"
    assert (shown(write_dicom(RAMP, VOILUTSequence=[table], **WHOLE)) == 255 - RAMP).all()


BLANK = "the image shows nothing: all of it has one grey value"


@pytest.mark.parametrize(
    "tags",
    [
        {"WindowCenter": 30_000, "WindowWidth": 100},
        {"WindowCenter": -30_000, "WindowWidth": 100, "VOILUTFunction": "LINEAR_EXACT"},
        {"WindowCenter": -30_000, "WindowWidth": 100, "VOILUTFunction": "SIGMOID"},
        {"RescaleSlope": 0, "RescaleIntercept": 0, **WHOLE},
        {"RescaleSlope": 0, "RescaleIntercept": 5},
        {"WindowCenter": 30_000, "WindowWidth": 100, "PhotometricInterpretation": "MONOCHROME1"},
    ],
)
def test_an_image_without_contrast_is_refused_whatever_made_it_so(write_dicom, tags):
    assert refused(write_dicom(RAMP, **tags)) == BLANK


@pytest.mark.parametrize("value", [0, 77, 65_535])
def test_an_image_of_one_stored_value_is_refused(write_dicom, value):
    stored = np.full((9, 9), value, np.uint16)
    assert refused(write_dicom(stored)) == BLANK
    assert refused(write_dicom(stored, WindowCenter=100, WindowWidth=400)) == BLANK
    assert refused(write_dicom(np.full((9, 9, 3), value % 256, np.uint8))) == BLANK


def test_padding_beside_a_single_grey_value_is_no_contrast(write_dicom):
    stored = np.full((9, 9), 77, np.uint16)
    stored[:4] = 9
    assert refused(write_dicom(stored, PixelPaddingValue=9, WindowCenter=60, WindowWidth=100)) == BLANK


def test_a_few_values_that_differ_from_all_others_are_seen(write_dicom):
    stored = np.full((100, 100), 77, np.uint16)
    stored[50, 50] = 90
    assert (shown(write_dicom(stored)) == np.where(stored == 90, 255, 0)).all()


def test_colours_become_their_brightness(write_dicom):
    red = np.zeros((8, 8, 3), np.uint8)
    red[:4, :, 0] = 255
    assert (shown(write_dicom(red)) == np.where(red[..., 0], 76, 0)).all()


UNCOMPRESSED = (uid.ImplicitVRLittleEndian, uid.ExplicitVRLittleEndian, uid.ExplicitVRBigEndian)


@pytest.mark.parametrize("syntax", UNCOMPRESSED, ids=lambda syntax: syntax.name)
def test_uncompressed_syntaxes_give_equal_pixels(write_dicom, syntax):
    stored = RAMP.astype(np.uint16) * 16
    assert (
        shown(write_dicom(stored, syntax, WindowCenter=2048, WindowWidth=4081 + 1))
        == shown(write_dicom(stored, WindowCenter=2048, WindowWidth=4081 + 1))
    ).all()


def test_a_deflated_file_gives_equal_pixels_and_the_patient(write_dicom):
    stored = RAMP.astype(np.uint16) * 16
    whole = {"WindowCenter": 2048, "WindowWidth": 4081 + 1}
    content = write_dicom(stored, uid.DeflatedExplicitVRLittleEndian, **whole)
    plain = write_dicom(stored, **whole)
    assert len(content) < len(plain)
    assert (shown(content) == shown(plain)).all()
    assert read(content, 10**8)[1] == read(plain, 10**8)[1] != ""


def test_a_deflated_file_is_inflated_to_a_limit_only(write_dicom, monkeypatch):
    content = write_dicom(np.zeros((3000, 3000), np.uint16), uid.DeflatedExplicitVRLittleEndian)
    monkeypatch.setattr(dicom, "MAX_INFLATED_BYTES", 10**6)
    assert refused(content) == "its data set is larger than 1 MB when inflated"


def test_a_deflated_file_that_ends_too_early_is_refused(write_dicom):
    content = write_dicom(RAMP.astype(np.uint16), uid.DeflatedExplicitVRLittleEndian)
    assert refused(content[:-40]) == "its data set is deflated and ends too early"
    assert refused(content[: len(content) // 2] + b"\xff" * 100).startswith(
        ("the DICOM file is damaged", "its data set")
    )


def encapsulated(pixels: np.ndarray, kind: str, **settings) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **settings)
    return pydicom.encaps.encapsulate([buffer.getvalue()])


@pytest.mark.parametrize(
    ("syntax", "kind", "settings", "tolerance"),
    [
        (uid.JPEGBaseline8Bit, "JPEG", {"quality": 95}, 4),
        (uid.JPEG2000Lossless, "JPEG2000", {"irreversible": False, "no_jp2": True}, 0),
        (uid.JPEG2000, "JPEG2000", {"irreversible": True, "no_jp2": True}, 4),
    ],
    ids=["JPEG", "JPEG 2000 lossless", "JPEG 2000"],
)
def test_compressed_syntaxes_are_decoded(write_dicom, syntax, kind, settings, tolerance):
    content = write_dicom(RAMP, syntax, PixelData=encapsulated(RAMP, kind, **settings), **WHOLE)
    assert np.abs(shown(content).astype(int) - RAMP).max() <= tolerance


def test_12_bits_are_decoded_from_jpeg_2000_and_run_lengths(write_dicom):
    stored = (np.arange(4096, dtype=np.uint16)).reshape(64, 64)
    window = {"BitsStored": 12, "HighBit": 11, "WindowCenter": 2048, "WindowWidth": 4096}
    dataset = pydicom.dcmread(io.BytesIO(write_dicom(stored, **window)))
    dataset.compress(uid.RLELossless)
    buffer = io.BytesIO()
    dataset.save_as(buffer)
    assert (shown(buffer.getvalue()).ravel() == np.round(np.arange(4096) * (255 / 4095))).all()


@pytest.mark.parametrize("centre", [100, 100.5, 100.9])
def test_a_window_of_width_1_is_black_up_to_half_below_its_centre_and_white_above(write_dicom, centre):
    """PS3.3, C.11.2.1.2.1: x <= c - 0.5 - (w - 1) / 2 is black, x > c - 0.5 + (w - 1) / 2 is white."""
    result = shown(write_dicom(RAMP, WindowCenter=centre, WindowWidth=1))
    assert (result == np.where(centre - 0.5 < RAMP, 255, 0)).all()


@pytest.mark.parametrize(
    "syntax",
    [uid.HTJ2KLossless, uid.MPEG2MPML],
    ids=lambda syntax: syntax.name,
)
def test_other_syntaxes_are_refused_by_name_with_the_remedy(write_dicom, syntax):
    reason = refused(write_dicom(RAMP, syntax, PixelData=pydicom.encaps.encapsulate([b"packed"])))
    assert reason.startswith(f"its DICOM transfer syntax is {syntax.name}, which is not read here: convert it to")
    assert syntax not in SYNTAXES


@pytest.mark.filterwarnings("ignore:Invalid value for VR")
@pytest.mark.parametrize(
    ("tags", "reason"),
    [
        (
            {"NumberOfFrames": 2, "PixelData": RAMP.tobytes() * 2},
            "the DICOM file has 2 pictures, and which one the lab",
        ),
        ({"PixelData": None}, "the DICOM file has no image"),
        ({"Rows": 50_000, "Columns": 50_000}, "the image has 50000 x 50000 pixels, more than 1000000"),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, "its DICOM photometric interpretation is PALETTE COLOR: kno"),
        ({"PhotometricInterpretation": "Doe^Jane"}, "its DICOM photometric interpretation is unknown: known are"),
        (
            {"PhotometricInterpretation": "SIXTEEN LETTERS1"},
            "its DICOM photometric interpretation is SIXTEEN LETTERS1",
        ),
        ({"PhotometricInterpretation": "SEVENTEEN LETTERS"}, "its DICOM photometric interpretation is unknown: known"),
        ({"BitsAllocated": 1}, "its DICOM pixels have a number of bits that is not read here"),
        ({"WindowCenter": 5, "WindowWidth": 9, "VOILUTFunction": "CUBIC"}, "its DICOM window has a function other"),
        ({"Rows": None}, "the DICOM file is damaged (KeyError)"),
        ({"PixelData": b"12"}, "the DICOM file is damaged (ValueError)"),
    ],
)
def test_what_is_no_single_grey_radiograph_is_refused(write_dicom, tags, reason):
    assert refused(write_dicom(RAMP, **tags)).startswith(reason)


@pytest.mark.filterwarnings("ignore")
def test_numbers_that_are_none_are_refused(write_dicom):
    assert refused(write_dicom(RAMP, RescaleSlope="NaN", RescaleIntercept=0)) == (
        "its DICOM rescaling or window is not a number"
    )


def test_a_compressed_image_of_another_size_than_declared_is_refused_before_it_is_unpacked(write_dicom):
    large = encapsulated(np.zeros((900, 900), np.uint8), "JPEG2000", no_jp2=True)
    reason = refused(write_dicom(RAMP, uid.JPEG2000Lossless, PixelData=large))
    assert reason == "the DICOM file's compressed image has another size than the file declares"
    long = pydicom.encaps.encapsulate([bytes(100_000)])
    reason = refused(write_dicom(RAMP, uid.RLELossless, PixelData=long))
    assert reason == "the DICOM file's compressed image is larger than the image it declares"


@pytest.mark.parametrize("end", [100, 132, 150, 300, -100])
def test_a_truncated_file_is_refused_without_a_word_on_the_patient(write_dicom, end):
    content = write_dicom(RAMP)[:end]
    if is_dicom(content):
        reason = refused(content)
        assert "Doe" not in reason
        assert "4711" not in reason


def test_a_file_without_a_patient_has_none(write_dicom):
    assert read(write_dicom(RAMP, PatientID=None), 10**6)[1] == ""
    assert read(write_dicom(RAMP, PatientID=""), 10**6)[1] == ""
    assert read(write_dicom(RAMP, PatientID="7", IssuerOfPatientID="A"), 10**6)[1] == "A\n7"
