"""What a DICOM file declares of its pixels, against the pixels that it has."""

import io
import struct

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom import uid

from components.imaging.dicom import is_dicom, read
from components.imaging.formats import inspect

from .dicom_matrix import run_lengths

ROWS, COLUMNS = np.mgrid[0:160, 0:200]
RAMP = np.round(40 + 4000 * (ROWS + COLUMNS) / 357).astype(np.uint16)
"""12 bits, from dark to bright; neighbours are alike, as in a radiograph."""
GREY = np.round(RAMP / 4095 * 255)
WINDOW = {"WindowCenter": 2048, "WindowWidth": 4096}
BITS = {"BitsStored": 12, "HighBit": 11}


def shown(content: bytes) -> np.ndarray:
    return read(content, 10**6)[0]


def error(content: bytes, expected: np.ndarray = GREY) -> float:
    return np.abs(shown(content) - expected.astype(float)).max()


def refused(content: bytes) -> str:
    with pytest.raises(ValueError, match=r".") as raised:
        read(content, 10**6)
    return str(raised.value)


def table(entries, data, bits: int, first: int = 0, kind: str = "US", data_kind: str = "US") -> list[pydicom.Dataset]:
    item = pydicom.Dataset()
    item.add_new("LUTDescriptor", kind, [entries, first, bits])
    item.add_new("LUTData", data_kind, data if isinstance(data, bytes) else [int(entry) for entry in data])
    return [item]


def jpeg_2000(pixels: np.ndarray, **settings) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG2000", **{"irreversible": False, "no_jp2": True} | settings)
    return pydicom.encaps.encapsulate([buffer.getvalue()])


# Tables.


@pytest.mark.parametrize(
    ("declared", "used"),
    [(16, 8), (16, 10), (16, 12), (16, 14), (16, 15), (12, 10), (12, 16), (10, 12), (8, 12), (0, 12), (99, 12)],
)
def test_a_table_is_as_deep_as_its_entries_where_it_declares_otherwise(write_dicom, declared, used):
    entries = np.round(np.arange(4096) * ((2**used - 1) / 4095))
    expected = np.round(entries[RAMP] / (2**used - 1) * 255)
    assert error(write_dicom(RAMP, **BITS, VOILUTSequence=table(4096, entries, declared)), expected) <= 1


@pytest.mark.parametrize(("declared", "largest", "white"), [(12, 50_000, 65_535), (16, 2600, 4095), (16, 9000, 16_383)])
def test_a_tables_white_is_that_of_its_own_bits_even_if_it_ends_below(write_dicom, declared, largest, white):
    entries = np.round(np.arange(4096) * (largest / 4095))
    expected = entries[RAMP] / white * 255
    assert error(write_dicom(RAMP, **BITS, VOILUTSequence=table(4096, entries, declared)), expected) < 0.51


@pytest.mark.parametrize("largest", [40_000, 30_000, 17_000])
def test_a_table_that_ends_below_white_is_believed(write_dicom, largest):
    entries = np.round(np.arange(4096) * (largest / 4095))
    expected = entries[RAMP] / 65_535 * 255
    assert error(write_dicom(RAMP, **BITS, VOILUTSequence=table(4096, entries, 16)), expected) < 0.51


@pytest.mark.parametrize("name", ["VOILUTSequence", "ModalityLUTSequence"])
def test_a_table_of_another_length_than_it_declares_is_refused(write_dicom, name):
    for declared in (4096, 100):
        reason = refused(write_dicom(RAMP, **BITS, **WINDOW, **{name: table(declared, range(256), 16)}))
        assert reason == f"its DICOM table declares {declared} entries and has 256"


@pytest.mark.parametrize(("first", "kind"), [(-1024, "SS"), (64_512, "US")])
def test_a_tables_first_value_has_a_sign_where_the_values_have_one(write_dicom, first, kind):
    stored = RAMP.astype(np.int16) - 1024
    tables = table(4096, range(4096), 12, first, kind)
    for tags in ({"VOILUTSequence": tables}, {"ModalityLUTSequence": tables, **WINDOW}):
        content = write_dicom(stored, **tags)
        assert error(content) <= 1
    content = write_dicom(RAMP, **BITS, RescaleSlope=1, RescaleIntercept=-1024, VOILUTSequence=tables)
    assert error(content) <= 1


def test_a_table_of_65536_entries_declares_0(write_dicom):
    entries = np.arange(65_536, dtype="<u2").tobytes()
    wide = (RAMP << 4).astype(np.uint16)
    content = write_dicom(wide, VOILUTSequence=table(0, entries, 16, data_kind="OW"))
    assert error(content, wide / 65_535 * 255) < 0.51


@pytest.mark.parametrize("count", [256, 255])
def test_a_table_of_bytes_may_be_packed_two_to_a_word(write_dicom, count):
    stored = np.arange(256, dtype=np.uint8).reshape(16, 16)
    data = bytes(255 - value for value in range(count)) + bytes(count % 2)
    content = write_dicom(stored, VOILUTSequence=table(count, data, 8, data_kind="OW"))
    assert (shown(content) == np.maximum(255 - stored.astype(int), 256 - count)).all()


@pytest.mark.parametrize("tags", [{"LUTDescriptor": None}, {"LUTData": None}, {"LUTDescriptor": "", "LUTData": ""}])
def test_a_table_without_content_is_as_if_absent(write_dicom, tags):
    item = table(4096, range(4096), 12)[0]
    for name, value in tags.items():
        if value is None:
            del item[name]
        else:
            item[name].value = None
    assert error(write_dicom(RAMP, **BITS, **WINDOW, VOILUTSequence=[item])) == 0
    assert error(write_dicom(RAMP, **BITS, **WINDOW, ModalityLUTSequence=[item])) == 0


# Bits.


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("high", range(11, 16))
def test_stored_bits_are_taken_from_where_the_high_bit_is(write_dicom, high, signed):
    values = RAMP.astype(int) - 2048 * signed
    pixels = (values << (high - 11)).astype(np.int16 if signed else np.uint16)
    window = {"WindowCenter": 2048 - 2048 * signed, "WindowWidth": 4096}
    assert error(write_dicom(pixels, BitsStored=12, HighBit=high, **window)) == 0


def test_a_compressed_image_of_12_bits_has_its_values_whatever_the_high_bit_is(write_dicom):
    dataset = {"BitsStored": 8, "HighBit": 15, "WindowCenter": 128, "WindowWidth": 256}
    pixels = (RAMP >> 4).astype(np.uint8)
    content = write_dicom(pixels.astype(np.uint16), uid.JPEG2000Lossless, PixelData=jpeg_2000(pixels), **dataset)
    assert error(content, pixels) == 0


OVERLAY = RAMP.copy()
OVERLAY[20:60, 20:120] |= 0x1000


@pytest.mark.parametrize("syntax", [uid.ExplicitVRLittleEndian, uid.RLELossless, uid.JPEG2000Lossless])
def test_an_overlay_in_an_unused_bit_is_left_out(write_dicom, syntax):
    packed = {uid.RLELossless: run_lengths, uid.JPEG2000Lossless: jpeg_2000}.get(syntax)
    tags = {"PixelData": packed(OVERLAY)} if packed else {}
    assert error(write_dicom(OVERLAY, syntax, **tags, **BITS, **WINDOW)) == 0


def test_several_overlays_are_left_out_where_the_file_says_where_they_are(write_dicom):
    two = OVERLAY.copy()
    two[50:150, 150:160] |= 0x8000
    assert refused(write_dicom(two, **BITS, **WINDOW)).startswith("its DICOM pixels use other bits than the 12")
    dataset = pydicom.dcmread(io.BytesIO(write_dicom(two, **BITS, **WINDOW)))
    for group, position in ((0x6000, 12), (0x6002, 15)):
        dataset.add_new((group, 0x0100), "US", 16)
        dataset.add_new((group, 0x0102), "US", position)
    buffer = io.BytesIO()
    dataset.save_as(buffer)
    assert error(buffer.getvalue()) == 0


@pytest.mark.parametrize(
    ("pixels", "bits"),
    [
        ((RAMP << 4).astype(np.uint16), BITS),
        ((RAMP << 1).astype(np.uint16), BITS),
        (RAMP, {"BitsStored": 11, "HighBit": 10}),
        (RAMP, {"BitsStored": 12, "HighBit": 15}),
        ((RAMP.astype(np.int16) - 2048) * 2, BITS),
    ],
)
def test_pixels_in_other_bits_than_declared_are_refused(write_dicom, pixels, bits):
    reason = refused(write_dicom(pixels, **bits, **WINDOW))
    assert reason == f"its DICOM pixels use other bits than the {bits['BitsStored']} that it declares"


@pytest.mark.parametrize("bits", [{"BitsStored": 17}, {"BitsStored": 12, "HighBit": 10}, {"HighBit": 16}])
def test_numbers_of_bits_that_contradict_each_other_are_refused(write_dicom, bits):
    assert refused(write_dicom(RAMP, **bits, **WINDOW)).endswith("in DICOM pixels of 16 bits")


def test_pixels_with_another_sign_than_declared_are_refused(write_dicom):
    signed = RAMP.astype(np.int16) - 2048
    reason = "its DICOM pixels are numbers {} a sign, but it declares them {} one"
    assert refused(write_dicom(signed, PixelRepresentation=0)) == reason.format("with", "without")
    assert refused(write_dicom(RAMP, PixelRepresentation=1, **BITS)) == reason.format("without", "with")
    assert refused(write_dicom(RAMP, PixelRepresentation=2)) == "it does not say whether its DICOM pixels have a sign"


def test_a_drawing_of_black_and_white_has_no_doubtful_sign(write_dicom):
    drawing = np.where((ROWS + COLUMNS) % 2, 4095, 0).astype(np.uint16)
    assert error(write_dicom(drawing, **BITS, **WINDOW), np.where(drawing, 255, 0)) == 0


@pytest.mark.filterwarnings("ignore:The pixel data is")
@pytest.mark.parametrize("more", [160 * 2, 200 * 2, 160 * 200 * 2])
def test_more_pixels_than_the_declared_size_has_are_refused(write_dicom, more):
    reason = refused(write_dicom(RAMP, **WINDOW, PixelData=RAMP.tobytes() + bytes(more)))
    assert reason == f"the DICOM file has {64_000 + more} bytes of pixels where the size that it declares has 64000"
    assert error(write_dicom(RAMP, **BITS, **WINDOW, PixelData=RAMP.tobytes() + bytes(8))) == 0


def test_run_lengths_of_another_number_of_bytes_than_declared_are_refused(write_dicom):
    packed = run_lengths((RAMP >> 4).astype(np.uint8))
    reason = refused(write_dicom(RAMP, uid.RLELossless, PixelData=packed, **BITS))
    assert reason == "its DICOM run lengths have 1 bytes a pixel where the file declares 2"


# Padding.


@pytest.mark.parametrize(
    ("value", "limit"), [(4000, 4095), (4095, 4000), (4095, None), (4050, 4050), (63_536, None), (63_000, 64_000)]
)
def test_a_range_of_padding_is_black(write_dicom, value, limit):
    pixels = RAMP.copy()
    pixels[:20] = 63_536 if value > 4095 else (value if limit is None else (value + limit) // 2)
    expected = GREY.copy()
    expected[:20] = 0
    low, high = sorted((value, value if limit is None else limit))
    expected[(low <= RAMP) & (high >= RAMP)] = 0
    for kind in ("MONOCHROME2", "MONOCHROME1"):
        content = write_dicom(
            pixels,
            **(BITS | WINDOW),
            **{"PixelPaddingValue": value, "PixelPaddingRangeLimit": limit, "PhotometricInterpretation": kind},
        )
        black = (expected == 0) & (np.arange(160)[:, None] < 20) | ((low <= RAMP) & (high >= RAMP))
        assert error(content, expected if kind == "MONOCHROME2" else np.where(black, 0, 255 - GREY)) == 0


@pytest.mark.filterwarnings("ignore")
def test_padding_is_found_whether_its_tag_has_a_sign_or_not(write_dicom):
    pixels = RAMP.astype(np.int16) - 2048
    pixels[:20] = -2000
    window = {"WindowCenter": 0, "WindowWidth": 4096}
    expected = np.where(np.arange(160)[:, None] < 20, 0, np.where(pixels == -2000, 0, GREY))
    content = write_dicom(pixels, PixelPaddingValue=-2000, **window)
    assert error(content, expected) == 0
    tag = struct.pack("<HH2sHh", 0x28, 0x120, b"SS", 2, -2000)
    assert tag in content
    assert error(content.replace(tag, tag.replace(b"SS", b"US")), expected) == 0


# Colours.


def test_a_compressed_image_of_other_colours_than_declared_is_refused(write_dicom):
    reason = "the DICOM file's compressed image has other colours than the file declares"
    grey, colour = np.zeros((32, 32), np.uint8), np.zeros((32, 32, 3), np.uint8)
    grey[8:], colour[8:] = 200, 200
    assert refused(write_dicom(grey, uid.JPEG2000Lossless, PixelData=jpeg_2000(colour))) == reason
    assert refused(write_dicom(colour, uid.JPEG2000Lossless, PixelData=jpeg_2000(grey))) == reason
    plain = jpeg_2000(colour, mct=0)
    tags = {"PhotometricInterpretation": "YBR_RCT", "PixelData": plain}
    assert refused(write_dicom(colour, uid.JPEG2000Lossless, **tags)) == reason


@pytest.mark.parametrize("kind", ["RGB", "YBR_FULL", "YBR_RCT"])
def test_a_jpeg_2000_image_itself_says_whether_its_colours_were_transformed(write_dicom, kind):
    colour = np.zeros((32, 32, 3), np.uint8)
    colour[8:] = 200, 100, 30
    content = write_dicom(
        colour, uid.JPEG2000Lossless, PhotometricInterpretation=kind, PixelData=jpeg_2000(colour, mct=1)
    )
    assert error(content, np.asarray(Image.fromarray(colour).convert("L"))) == 0


# Optional tags.


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "tags",
    [
        {"RescaleSlope": "", "RescaleIntercept": ""},
        {"RescaleSlope": 1},
        {"RescaleIntercept": 0},
        {"PixelPaddingValue": ""},
        {"NumberOfFrames": ""},
        {"NumberOfFrames": 0},
        {"PlanarConfiguration": ""},
        {"HighBit": ""},
        {"VOILUTFunction": ""},
        {"VOILUTFunction": "linear"},
        {"VOILUTSequence": []},
        {"ModalityLUTSequence": []},
        {"WindowCenter": ["", 2048], "WindowWidth": ["", 4096]},
        {"WindowCenter": [5, 2048], "WindowWidth": [0, 4096]},
        {"WindowCenter": [2048, 7], "WindowWidth": 4096},
    ],
)
def test_optional_tags_that_are_empty_are_as_if_absent(write_dicom, tags):
    assert error(write_dicom(RAMP, **(BITS | WINDOW | tags))) == 0


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("centre", "width"),
    [(0, 0), (5, 0), (5, -3), ("", ""), (5, ""), ("", 9), (["", ""], ["", ""]), ("NaN", 9), (5, "NaN"), (5, 0.5)],
)
def test_a_window_that_cannot_be_used_is_as_if_absent(write_dicom, centre, width):
    content = write_dicom(RAMP, **BITS, WindowCenter=centre, WindowWidth=width)
    assert (shown(content) == shown(write_dicom(RAMP, **BITS))).all()


@pytest.mark.parametrize("text", [b"\\     ", b"x,y   ", b"      ", b"1e,5  "])
@pytest.mark.parametrize("tag", ["WindowCenter", "RescaleSlope", "RescaleIntercept"])
def test_tags_that_are_no_numbers_are_as_if_absent(write_dicom, tag, text):
    others = BITS | (WINDOW if tag.startswith("Rescale") else {})
    content = write_dicom(RAMP, **(others | {"WindowWidth": 4096, tag: "7777.7"}))
    assert content.count(b"7777.7") == 1
    assert (shown(content.replace(b"7777.7", text)) == shown(write_dicom(RAMP, **others))).all()


# The 128 bytes before a DICOM file.


@pytest.mark.parametrize("syntax", [uid.ImplicitVRLittleEndian, uid.ExplicitVRLittleEndian, uid.ExplicitVRBigEndian])
def test_a_data_set_without_preamble_is_read(write_dicom, syntax):
    whole = write_dicom(RAMP, syntax, **BITS, **WINDOW)
    for start in (128, 132):
        picture = inspect(whole[start:])
        assert np.abs(np.asarray(Image.open(io.BytesIO(picture.content))) - GREY).max() == 0
        assert picture.patient_id == "\n4711"
    # Without the part that names the transfer syntax the data set shows it by itself.
    first = b"\x00\x08\x00\x16" if syntax == uid.ExplicitVRBigEndian else b"\x08\x00\x16\x00"
    bare = whole[whole.index(first) :]
    assert is_dicom(bare)
    assert error(bare) == 0


def test_a_compressed_data_set_that_does_not_say_how_is_refused(write_dicom):
    whole = write_dicom(RAMP, uid.JPEG2000Lossless, **BITS, PixelData=jpeg_2000(RAMP))
    bare = whole[whole.index(b"\x08\x00\x16\x00") :]
    assert refused(bare) == "its DICOM transfer syntax is unknown: the image is compressed, and no tag says how"


@pytest.mark.parametrize("content", [b"\x08\x00", b"\x08\x00\x05\x00CS" + bytes(90), b"\x02\x00 some text" * 50])
def test_what_only_begins_like_a_data_set_is_no_image(content):
    assert not is_dicom(content)
    with pytest.raises(ValueError, match="not an image in one of the formats JPEG, PNG, BMP, TIFF, DICOM"):
        inspect(content)
