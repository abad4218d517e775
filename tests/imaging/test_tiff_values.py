"""Every kind of TIFF that Pillow opens, and wide or transparent pixels of other formats."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

from components.imaging.decoding import decode
from components.imaging.formats import inspect
from tests.imaging.tiff_files import RAMP, SIZE, grey_tiff, ramp_tiff

KINDS = [("<" if order == TiffImagePlugin.II else ">", *others) for order, *others in sorted(TiffImagePlugin.OPEN_INFO)]
UNREADABLE = [(photometric, 2, (bits,)) for photometric, bits in ((0, 8), (3, 1), (3, 2), (3, 4))]
"""Photometric interpretation, order of bits and bits of what Pillow opens but cannot decode."""


def decoded(content: bytes, size: int = SIZE) -> np.ndarray:
    return decode(inspect(content).content, size).astype(int)


def encode(image: Image.Image | np.ndarray, kind: str, **settings) -> bytes:
    buffer = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(buffer, kind, **settings)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_every_kind_of_tiff_that_opens_is_converted_or_refused_by_name(kind):
    order, photometric, sample_format, fill, bits, extras = kind
    content = ramp_tiff(order, photometric, sample_format[0], fill, bits, extras)
    if photometric == 8 or sample_format == (3,) or (photometric, fill, bits) in UNREADABLE:
        kinds = "its pixels are floating-point numbers|its colours are CIELAB|cannot be decoded: unknown raw mode"
        with pytest.raises(ValueError, match=kinds):
            decoded(content)
        return
    top = (1 << min(bits[0], 8)) - 1
    expected = np.round(np.round(RAMP * top) * (255 / top))
    assert np.abs(decoded(content) - expected).max() <= 1


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("bits", [8, 10, 12, 14, 15, 16])
def test_white_as_zero_is_inverted_whatever_the_number_of_bits(order, bits):
    values = np.round(RAMP * (2**bits - 1)).astype(np.uint16)
    if order == ">":
        with pytest.raises(ValueError, match=r"not read here \(bits 16, photometric interpretation 0, sample format 1"):
            inspect(grey_tiff(values, 0, order))
        return
    assert np.abs(decoded(grey_tiff(values, 0, order)) - np.round(255 * (1 - RAMP))).max() <= 1


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("kind", "bits"), [(np.int8, 8), (np.int16, 10), (np.int16, 12), (np.int16, 16)])
def test_values_with_a_sign_are_scaled_about_zero(order, kind, bits):
    values = (np.round(RAMP * (2**bits - 1)) - 2 ** (bits - 1)).astype(kind)
    assert np.abs(decoded(grey_tiff(values, 1, order)) - np.round(255 * RAMP)).max() <= 1


@pytest.mark.parametrize(("kind", "bits"), [(np.int8, 7), (np.int16, 12), (np.int32, 16)])
def test_values_that_could_have_a_sign_and_have_none_begin_at_black(kind, bits):
    values = np.round(RAMP * (2**bits - 1)).astype(kind)
    assert np.abs(decoded(grey_tiff(values)) - np.round(255 * RAMP)).max() <= 1
    values[0, :3] = -1
    assert np.abs(decoded(grey_tiff(values)) - np.round(255 * RAMP))[1:].max() <= 1


def test_32_bits_without_sign_are_not_taken_for_negative():
    values = np.round(RAMP * (2**32 - 1)).astype(np.uint32)
    assert np.abs(decoded(grey_tiff(values)) - np.round(255 * RAMP)).max() <= 1


def test_12_declared_bits_are_the_range_even_if_less_is_used():
    content = ramp_tiff("<", 1, 1, 1, (12,), ())
    dark = content.replace(content[8 : 8 + 96 * SIZE], bytes(96 * SIZE))
    assert (decoded(dark) == 0).all()
    half = np.round(RAMP * 2047).astype(int)
    bits = (half[..., None] >> np.arange(11, -1, -1) & 1).reshape(SIZE, -1)
    content = content[:8] + np.packbits(bits, axis=1).tobytes() + content[8 + 96 * SIZE :]
    assert np.abs(decoded(content) - half * 255 / 4095).max() <= 1


@pytest.mark.parametrize(
    ("tags", "reason"),
    [
        ({"photometric": None}, "its TIFF does not say whether 0 is black or white"),
        ({"tag532": [16, 1, 235, 1]}, "its TIFF declares black and white at values other than 0 and 255"),
    ],
)
def test_a_tiff_without_a_certain_black_is_refused(tags, reason):
    values = np.round(RAMP * 255).astype(np.uint8)
    with pytest.raises(ValueError, match=reason):
        inspect(grey_tiff(values, **tags))


def test_colours_that_pillow_would_unpack_wrongly_are_refused():
    content = ramp_tiff("<", 6, 1, 1, (8, 8, 8), ())
    subsampled = content.replace(
        b"\x12\x02\x03\x00\x02\x00\x00\x00\x01\x00\x01", b"\x12\x02\x03\x00\x02\x00\x00\x00\x02\x00\x02"
    )
    assert subsampled != content
    with pytest.raises(ValueError, match="its TIFF colours are subsampled"):
        inspect(subsampled)


@pytest.mark.parametrize(("bits", "read"), [(16, True), (15, True), (14, False), (12, False), (10, False)])
@pytest.mark.parametrize("samples", [3, 4])
def test_colours_of_12_bits_stored_in_16_are_refused(bits, read, samples):
    colours = np.stack([np.round(RAMP * (2**bits - 1))] * 3 + [0 * RAMP + 65_535], axis=-1)[..., :samples]
    content = ramp_tiff("<", 2, 1, 1, (16,) * samples, (2,) * (samples - 3))
    data = colours.astype("<u2").tobytes()
    content = content[:8] + data + content[8 + len(data) :]
    if read:
        expected = np.round(RAMP * (2**bits - 1)) // 256
        assert np.abs(decoded(content) - expected).max() <= 1
        return
    with pytest.raises(ValueError, match="its colours of 16 bits use less than a quarter of the range"):
        decoded(content)


def test_opacity_that_is_multiplied_already_is_not_multiplied_again():
    content = ramp_tiff("<", 1, 1, 1, (8, 8), (1,))
    values = np.stack([np.round(RAMP * 127), np.full_like(RAMP, 128)], axis=-1).astype(np.uint8).tobytes()
    content = content[:8] + values + content[8 + len(values) :]
    assert np.abs(decoded(content) - np.round(RAMP * 127)).max() <= 1


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
def test_a_transparent_grey_of_a_png_is_black_and_no_other(bits):
    top = (1 << bits) - 1
    values = np.round(RAMP * top).astype(np.uint16)
    content = png_of(values, bits, transparent=top)
    expected = np.where(values == top, 0, np.round(values * (255 / top)))
    assert np.abs(decoded(content) - expected).max() <= 1


def png_of(values: np.ndarray, bits: int, transparent: int) -> bytes:
    """A PNG of so many bits a pixel with one transparent grey, made by hand."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">L", len(data)) + name + data + struct.pack(">L", zlib.crc32(name + data))

    if bits == 16:
        rows = values.astype(">u2").view(np.uint8).reshape(len(values), -1)
    else:
        rows = np.packbits((values[..., None] >> np.arange(bits - 1, -1, -1) & 1).reshape(len(values), -1), axis=1)
    lines = b"".join(b"\0" + row.astype(np.uint8).tobytes() for row in rows)
    header = struct.pack(">LLBBBBB", values.shape[1], values.shape[0], bits, 0, 0, 0, 0)
    parts = (
        (b"IHDR", header),
        (b"tRNS", struct.pack(">H", transparent)),
        (b"IDAT", zlib.compress(lines)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)
