import io

import numpy as np
import pytest
from PIL import Image

from components.imaging.formats import inspect

PIXELS = np.random.default_rng(0).integers(256, size=(30, 40), dtype=np.uint8)


def encode(image: Image.Image | np.ndarray, kind: str, **settings) -> bytes:
    buffer = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(buffer, kind, **settings)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("mode", "kind"),
    [
        *[(mode, "JPEG") for mode in ("L", "RGB", "CMYK")],
        *[(mode, "PNG") for mode in ("1", "L", "LA", "P", "RGB", "RGBA")],
        *[(mode, "TIFF") for mode in ("L", "RGB", "CMYK", "YCbCr")],
        *[(mode, "BMP") for mode in ("1", "L", "P", "RGB")],
    ],
)
def test_every_colour_mode_of_the_formats_is_taken_as_it_came(mode, kind):
    content = encode(Image.fromarray(PIXELS).convert(mode), kind)
    picture = inspect(content)
    assert (picture.content, picture.width, picture.height, picture.patient_id) == (content, 40, 30, "")


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_16_bits_are_taken_as_they_came(kind):
    content = encode(PIXELS * np.uint16(16), kind)
    assert inspect(content).content == content


def test_a_dicom_file_becomes_a_png_with_nothing_but_pixels(write_dicom):
    picture = inspect(write_dicom(PIXELS, WindowCenter=128, WindowWidth=256))
    with Image.open(io.BytesIO(picture.content), formats=["PNG"]) as image:
        assert (np.asarray(image) == PIXELS).all()
        assert image.info == {}
    assert (picture.width, picture.height, picture.patient_id) == (40, 30, "\n4711")
    for word in (b"Doe", b"4711", b"2019"):
        assert word not in picture.content


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_a_file_of_several_pictures_is_refused(kind):
    frames = [Image.fromarray(PIXELS), Image.fromarray(255 - PIXELS), Image.fromarray(PIXELS)]
    content = encode(frames[0], kind, save_all=True, append_images=frames[1:])
    with pytest.raises(ValueError, match="the file has 3 pictures, and which one the label is for is not known"):
        inspect(content)


def test_of_a_photographs_several_pictures_the_first_is_taken():
    content = encode(Image.fromarray(PIXELS), "MPO", save_all=True, append_images=[Image.new("L", (8, 8))])
    assert (inspect(content).width, inspect(content).height) == (40, 30)


def test_floating_point_pixels_are_refused():
    with pytest.raises(ValueError, match="its pixels are floating-point numbers, whose range is not known"):
        inspect(encode(np.zeros((9, 9), np.float32), "TIFF"))


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "JPEG2000", "ICO"])
def test_other_formats_are_refused(kind):
    with pytest.raises(ValueError, match="not an image in one of the formats JPEG, PNG, BMP, TIFF, DICOM"):
        inspect(encode(Image.fromarray(PIXELS), kind))


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_an_image_that_declares_too_many_pixels_is_refused_by_its_header_alone():
    # A bitmap's header is enough to declare 50,000 x 50,000 pixels.
    small = bytearray(encode(Image.fromarray(PIXELS), "BMP"))
    small[18:26] = (50_000).to_bytes(4, "little") * 2
    with pytest.raises(ValueError, match="the image has more than 100000000 pixels"):
        inspect(bytes(small))


def test_cielab_pixels_are_refused():
    with pytest.raises(ValueError, match="its colours are CIELAB, which is not read here: convert it to grey or RGB"):
        inspect(encode(Image.new("LAB", (9, 9)), "TIFF"))


def test_a_tiff_of_an_unknown_kind_is_refused_without_quoting_its_texts():
    content = encode(PIXELS, "TIFF", tiffinfo={270: "Doe"})
    # The photometric interpretation is a text here.
    odd = content.replace(b"\x06\x01\x03\x00\x01\x00\x00\x00\x01", b"\x06\x01\x02\x00\x01\x00\x00\x00D")
    assert odd != content
    with pytest.raises(ValueError, match="its TIFF pixels are of a kind that is not read here") as raised:
        inspect(odd)
    assert "photometric interpretation unknown" in str(raised.value)
