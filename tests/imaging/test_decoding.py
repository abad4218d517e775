import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from components.imaging import decoding
from components.imaging.decoding import decode


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
    for kind in ("PNG", "TIFF"):
        assert (decode(encode(pixels, kind, exif=exif), 32) == np.rot90(pixels, turns)).all()
    assert (decode(encode(pixels * np.uint16(257), exif=exif), 32) == np.rot90(pixels, turns)).all()
    large = Image.fromarray(pixels).resize((250, 330), Image.Resampling.BICUBIC)
    upright, turned = decode(encode(large, "JPEG"), 48), decode(encode(large, "JPEG", exif=exif), 48)
    assert np.abs(turned - np.rot90(upright, turns).astype(int)).max() <= 1


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
        (np.uint16(200), "PNG", 200),
        (np.uint16(2048), "PNG", 128),
        (np.uint16(0xFFFF), "TIFF", 255),
        (np.int32(4095), "TIFF", 255),
        (np.int32(70_000), "TIFF", 136),
        (np.int32(-5), "TIFF", 123),
        (np.int32(-70_000), "TIFF", 59),
    ],
)
def test_the_range_that_the_pixels_use_tells_what_white_is(pixels, kind, expected):
    assert (decode(encode(np.full((32, 32), pixels), kind), 32) == expected).all()


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
@pytest.mark.parametrize("bits", [9, 10, 12, 14, 16])
def test_an_image_of_many_bits_comes_out_like_the_same_image_in_8_bits(bits, kind):
    pixels = np.random.default_rng(0).integers(256, size=(40, 40), dtype=np.uint8)
    wide = np.round(pixels * ((2**bits - 1) / 255)).astype(np.uint16)
    difference = decode(encode(wide, kind), 32).astype(int) - decode(encode(pixels), 32)
    assert np.abs(difference).max() <= 1


def test_a_few_bright_pixels_do_not_make_an_image_dark():
    wide = np.tile(np.arange(4096, dtype=np.uint16), (1, 1)).reshape(64, 64)
    marked = wide.copy()
    marked[0, :4] = 65_535
    assert np.abs(decode(encode(marked), 32).astype(int) - decode(encode(wide), 32))[4:].max() == 0
    marked[:, 0] = 65_535
    assert decode(encode(marked), 32)[4:, 4:].max() < 20


def test_a_16_bit_ramp_keeps_its_order():
    ramp = np.tile(np.arange(64, dtype=np.uint16) * 1024, (64, 1))
    assert set(np.diff(decode(encode(ramp), 64).astype(int)).ravel()) == {3, 4}


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_what_is_transparent_is_black(mode):
    image = Image.new("LA", (40, 40), (200, 0))
    image.paste((200, 255), (0, 0, 40, 20))
    settings = {}
    if mode == "P":
        image, settings = Image.new("P", (40, 40), 1), {"transparency": 1}
        image.putpalette([0, 0, 0, 200, 200, 200, 200, 200, 200])
        image.paste(2, (0, 0, 40, 20))
    result = decode(encode(image if mode == "P" else image.convert(mode), **settings), 40)
    assert (result[:19] == 200).all()
    assert (result[21:] == 0).all()


def test_the_same_picture_comes_out_equal_from_every_lossless_format():
    pixels = np.random.default_rng(0).integers(256, size=(50, 40), dtype=np.uint8)
    results = [
        decode(encode(Image.fromarray(pixels).convert(mode), kind), 32)
        for mode in ("L", "RGB")
        for kind in ("PNG", "BMP", "TIFF")
    ]
    results.append(decode(encode(pixels * np.uint16(257)), 32))
    assert all((result == results[0]).all() for result in results)


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
        ((191, 191), (191, 191)),
        ((192, 192), (96, 96)),
        ((1024, 256), (512, 128)),
        ((700, 500), (175, 125)),
        ((1200, 1000), (150, 125)),
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


def difference_from_full_decode(monkeypatch, content: bytes, size: int) -> np.ndarray:
    reduced = decode(content, size).astype(int)
    with monkeypatch.context() as patch:
        patch.setattr(decoding, "_draft_size", lambda original, _: original)
        return np.abs(reduced - decode(content, size))


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("shape", [(1200, 1000), (1001, 1206), (775, 775)])
def test_reduced_scale_changes_the_result_little(monkeypatch, mode, shape):
    noise = np.random.default_rng(0).integers(256, size=(25, 30), dtype=np.uint8)
    image = Image.fromarray(noise).resize(shape, Image.Resampling.BICUBIC).filter(ImageFilter.GaussianBlur(3))
    difference = difference_from_full_decode(monkeypatch, encode(image.convert(mode), "JPEG", quality=95), 64)
    assert difference.mean() < 1.5
    assert difference.max() < 8


@pytest.mark.skipif("PNEUMONIA_BENCHMARK_DATA" not in os.environ, reason="PNEUMONIA_BENCHMARK_DATA names no folder")
def test_reduced_scale_changes_real_radiographs_little(monkeypatch):
    folder = Path(os.environ["PNEUMONIA_BENCHMARK_DATA"], "data", "chest_xray_fullres")
    radiographs = sorted(folder.glob("*/*.jpeg"))[::8]
    assert radiographs, f"{folder} holds no images: correct PNEUMONIA_BENCHMARK_DATA, or unset it"
    for size in (96, 224):
        means = [difference_from_full_decode(monkeypatch, path.read_bytes(), size).mean() for path in radiographs]
        assert np.mean(means) < 0.5
        assert max(means) < 1.2


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "ICO", "JPEG2000"])
def test_other_formats_are_refused_even_if_pillow_knows_them(kind):
    content = encode(np.random.default_rng(0).integers(256, size=(32, 32), dtype=np.uint8), kind)
    with pytest.raises(ValueError, match="cannot be decoded: cannot identify image file"):
        decode(content, 32)
