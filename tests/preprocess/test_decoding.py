import io

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from components.preprocess import decoding
from components.preprocess.decoding import decode


def encode(image: Image.Image | np.ndarray, kind: str = "PNG", **settings) -> bytes:
    buffer = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(buffer, kind, **settings)
    return buffer.getvalue()


def with_disc(width: int, height: int, radius: int) -> Image.Image:
    image = Image.new("L", (width, height))
    box = (width / 2 - radius, height / 2 - radius, width / 2 + radius, height / 2 + radius)
    ImageDraw.Draw(image).ellipse(box, fill=255)
    return image


@pytest.mark.parametrize(("width", "height"), [(400, 200), (200, 300), (200, 200)])
def test_a_circle_stays_a_circle(width, height):
    bright = decode(encode(with_disc(width, height, radius=75)), 96) > 127
    rows, columns = np.flatnonzero(bright.any(axis=1)), np.flatnonzero(bright.any(axis=0))
    assert np.ptp(rows) + 1 == pytest.approx(96 * 150 / 200, abs=2)
    assert np.ptp(columns) + 1 == pytest.approx(np.ptp(rows) + 1, abs=1)
    assert bright.sum() == pytest.approx(np.pi * 36**2, rel=0.03)
    assert rows.mean() == pytest.approx(47.5, abs=0.6)
    assert columns.mean() == pytest.approx(47.5, abs=0.6)


@pytest.mark.parametrize("turned", [False, True])
def test_the_middle_square_is_all_that_is_kept(turned):
    pixels = np.random.default_rng(0).integers(256, size=(32, 90), dtype=np.uint8)
    middle = pixels[:, 29:61]
    assert (decode(encode(pixels.T if turned else pixels), 32) == (middle.T if turned else middle)).all()


@pytest.mark.parametrize(("orientation", "turns"), [(1, 0), (3, 2), (6, 3), (8, 1)])
def test_the_cameras_orientation_is_obeyed(orientation, turns):
    pixels = np.random.default_rng(0).integers(256, size=(32, 32), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert (decode(encode(pixels, exif=exif), 32) == np.rot90(pixels, turns)).all()


@pytest.mark.parametrize("size", [32, 37, 64])
@pytest.mark.parametrize(("width", "height"), [(1, 1), (500, 1), (33, 64), (300, 301)])
def test_every_result_is_a_grey_square_of_the_size_asked_for(width, height, size):
    result = decode(encode(np.full((height, width), 9, np.uint8)), size)
    assert (result.dtype, result.shape) == (np.uint8, (size, size))
    assert (result == 9).all()


def test_fine_patterns_are_averaged_and_not_sampled():
    pixels = (np.indices((256, 256)).sum(axis=0) % 2 * 255).astype(np.uint8)
    assert np.ptp(decode(encode(pixels), 32)) <= 4


@pytest.mark.parametrize(
    ("mode", "kind", "tolerance"),
    [
        *[(mode, kind, 0) for mode in ("L", "RGB") for kind in ("PNG", "BMP", "TIFF")],
        *[(mode, "PNG", 0) for mode in ("RGBA", "LA", "P")],
        *[(mode, "JPEG", 1) for mode in ("L", "RGB", "CMYK")],
        *[("CMYK", "TIFF", 1), ("YCbCr", "TIFF", 1)],
    ],
)
def test_a_grey_is_the_same_in_every_colour_mode(mode, kind, tolerance):
    image = Image.new("L", (40, 36), 100).convert(mode)
    assert decode(encode(image, kind), 32).astype(int) == pytest.approx(100, abs=tolerance)


def test_colours_become_their_brightness():
    assert (decode(encode(Image.new("RGB", (32, 32), (255, 0, 0))), 32) == 76).all()
    assert (decode(encode(Image.new("1", (32, 32), 1)), 32) == 255).all()


@pytest.mark.parametrize(
    ("pixels", "kind", "expected"),
    [
        (np.uint16(0x80FF), "PNG", 0x80),
        (np.uint16(0xFFFF), "TIFF", 0xFF),
        (np.int32(0x1234), "TIFF", 0x12),
        (np.int32(70_000), "TIFF", 0xFF),
        (np.int32(-5), "TIFF", 0),
    ],
)
def test_wider_pixels_keep_their_upper_byte(pixels, kind, expected):
    assert (decode(encode(np.full((32, 32), pixels), kind), 32) == expected).all()


def test_a_16_bit_ramp_keeps_its_order():
    ramp = np.tile(np.arange(64, dtype=np.uint16) * 1024, (64, 1))
    assert (np.diff(decode(encode(ramp), 64).astype(int)) == 4).all()


JPEG = encode(np.random.default_rng(0).integers(256, size=(80, 90), dtype=np.uint8), "JPEG")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (JPEG[: len(JPEG) // 2], "cannot be decoded: .*truncated"),
        (JPEG[:30], "cannot be decoded: "),
        (b"", "cannot be decoded: cannot identify"),
        (b"text", "cannot be decoded: cannot identify"),
        (encode(np.zeros((9, 9), np.float32), "TIFF"), "cannot be decoded: its pixels are floating-point numbers"),
    ],
)
def test_what_cannot_be_decoded_is_said_with_the_reason(content, reason):
    with pytest.raises(ValueError, match=reason):
        decode(content, 32)


@pytest.mark.parametrize(("error", "reason"), [(TypeError("odd tag"), "odd tag"), (KeyError(), "KeyError")])
def test_whatever_pillow_raises_on_a_damaged_file_is_a_reason(monkeypatch, error, reason):
    def fail(_):
        raise error

    monkeypatch.setattr(decoding.ImageOps, "exif_transpose", fail)
    with pytest.raises(ValueError, match=f"cannot be decoded: {reason}"):
        decode(JPEG, 32)


@pytest.mark.parametrize(
    ("original", "decoded"),
    [
        ((255, 255), (255, 255)),
        ((256, 256), (128, 128)),
        ((1024, 256), (512, 128)),
        ((1200, 1000), (300, 250)),
        ((1024, 1024), (128, 128)),
        ((40, 30), (40, 30)),
    ],
)
def test_large_jpegs_are_decoded_at_reduced_scale_and_in_grey(monkeypatch, original, decoded):
    seen = []
    grey = decoding._grey
    monkeypatch.setattr(decoding, "_grey", lambda image: seen.append((image.mode, image.size)) or grey(image))
    decode(encode(Image.new("RGB", original), "JPEG"), 64)
    assert seen == [("L", decoded)]


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_reduced_scale_changes_the_result_little(monkeypatch, mode):
    noise = np.random.default_rng(0).integers(256, size=(50, 60), dtype=np.uint8)
    image = Image.fromarray(noise).resize((1200, 1000), Image.Resampling.BICUBIC).filter(ImageFilter.GaussianBlur(3))
    content = encode(image.convert(mode), "JPEG", quality=95)
    reduced = decode(content, 64).astype(int)
    monkeypatch.setattr(decoding, "_draft_size", lambda original, _: original)
    difference = np.abs(reduced - decode(content, 64))
    assert difference.mean() < 2
    assert difference.max() < 12
