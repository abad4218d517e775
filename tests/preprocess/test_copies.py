import io
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageFilter
from scipy.fft import dctn

from components.imaging.decoding import decode
from components.ingest.synthetic import write_radiographs
from components.preprocess import copies

SIZE = 96


def pattern(seed: int, size: int = 300) -> Image.Image:
    """A picture with structures of several sizes, unlike that of any other seed."""
    rng = np.random.default_rng(seed)
    pixels = np.full((size, size), 128.0)
    for cells, weight in ((4, 40), (12, 25), (40, 15)):
        noise = Image.fromarray(rng.normal(0, weight, (cells, cells)).astype(np.float32))
        pixels += np.asarray(noise.resize((size, size), Image.Resampling.BICUBIC))
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def encode(image: Image.Image, kind: str = "JPEG", **settings) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **settings)
    return buffer.getvalue()


def variants(image: Image.Image) -> list[bytes]:
    """The picture as others may have saved it."""
    width, height = image.size
    again = [encode(image, quality=quality) for quality in (30, 50, 75, 95)]
    scaled = [image.resize((round(width * by), round(height * by)), 1) for by in (0.43, 0.5, 0.75, 1.5)]
    return [*again, *(encode(other, quality=75) for other in scaled), encode(image, "PNG"), encode(image, "TIFF")]


def prepared(contents: list[bytes], size: int = SIZE) -> np.ndarray:
    return np.stack([decode(content, size) for content in contents])


def found(images: np.ndarray) -> list[list[int]]:
    groups = copies.find(copies.hashes(images), lambda positions: images[positions])
    return [group.tolist() for group in groups]


def near(hashes: np.ndarray) -> list[list[int]]:
    return [pair for pairs in copies.near_pairs(hashes) for pair in pairs.tolist()]


@pytest.mark.parametrize("size", [32, 96, 224])
def test_reencoded_and_resized_copies_are_found_and_other_pictures_are_not(size):
    contents = [content for seed in range(6) for content in variants(pattern(seed))]
    contents += [encode(pattern(seed)) for seed in range(6, 60)]
    each = len(variants(pattern(0)))
    assert found(prepared(contents, size)) == [list(range(i * each, (i + 1) * each)) for i in range(6)]


def test_pictures_that_look_alike_from_afar_are_no_copies():
    rng = np.random.default_rng(0)
    coarse = np.asarray(pattern(1).filter(ImageFilter.GaussianBlur(20)), float)
    noise = [np.asarray(pattern(seed).resize((300, 300)), float) for seed in (2, 3)]
    one, other = ((coarse + 0.15 * (part - 128) + rng.normal(0, 1, part.shape)).clip(0, 255) for part in noise)
    images = np.stack([decode(encode(Image.fromarray(part.astype(np.uint8)), "PNG"), SIZE) for part in (one, other)])
    coarse, fine = copies.hashes(images)[:, 0], copies.hashes(images)[:, 1:]
    assert np.bitwise_count(coarse[0] ^ coarse[1]) <= 10
    assert np.bitwise_count(fine[0] ^ fine[1]).sum() > copies.FINE_DISTANCE
    assert copies.similarity(images[:1], images[1:])[0] < 0.5


def test_images_without_any_detail_are_copies_only_if_equal():
    flat = np.stack([np.full((SIZE, SIZE), value, np.uint8) for value in (0, 0, 90, 255)])
    assert found(flat) == [[0, 1]]


def test_the_hashes_are_the_signs_of_the_lowest_frequencies():
    images = np.random.default_rng(0).integers(256, size=(5, 48, 48), dtype=np.uint8)
    for image, words in zip(images, copies.hashes(images), strict=True):
        for length, hashed in ((8, words[:1]), (16, words[1:])):
            # Our cosines are not orthonormal: the first row and column weigh more, by the square root of two.
            weights = np.outer(*[np.r_[np.sqrt(2), np.ones(length - 1)]] * 2)
            frequencies = (dctn(image.astype(float), norm="ortho")[:length, :length] * weights).ravel()
            bits = frequencies > np.median(frequencies[1:])
            bits[0] = False
            assert np.unpackbits(hashed.view(np.uint8)).astype(bool).tolist() == bits.tolist()


def flip(hashed: np.ndarray, coarse: int, fine: int) -> np.ndarray:
    """The hash with so many bits changed."""
    bits = np.unpackbits(hashed.view(np.uint8))
    bits[:coarse] ^= 1
    bits[64 : 64 + fine] ^= 1
    return np.packbits(bits).view(np.uint64)


@pytest.mark.parametrize("count", [0, 1, 2, 700, 5000])
def test_near_pairs_are_those_that_a_plain_search_finds(count):
    hashes = np.random.default_rng(count).integers(2**64, size=(count, 5), dtype=np.uint64)
    expected = []
    for number, (coarse, fine, near_enough) in enumerate(
        [(0, 0, True), (4, 0, True), (5, 0, False), (0, 32, True), (0, 33, False), (4, 32, True)]
    ):
        if count >= 700:
            hashes[count - 1 - number] = flip(hashes[3 * number], coarse, fine)
            expected += [[3 * number, count - 1 - number]] * near_enough
    assert sorted(near(hashes)) == expected


def test_groups_gather_what_is_linked_through_others(monkeypatch):
    hashes = np.zeros((10, 5), np.uint64)
    linked = {(7, 9), (1, 4), (4, 8)}
    monkeypatch.setattr(copies, "_PAIRS", 3)
    monkeypatch.setattr(
        copies, "similarity", lambda a, b: np.array([pair in linked for pair in zip(a, b, strict=True)])
    )
    assert [group.tolist() for group in copies.find(hashes, list)] == [[1, 4, 8], [7, 9]]


def test_a_picture_that_is_there_many_times_is_not_compared_with_each_of_its_copies(monkeypatch):
    image, compared, similarity = prepared([encode(pattern(1))])[0], [], copies.similarity
    monkeypatch.setattr(copies, "similarity", lambda a, b: compared.append(len(a)) or similarity(a, b))
    images = np.stack([image] * 1500)
    assert found(images) == [list(range(1500))]
    assert sum(compared) < 2 * 1500


MANIFEST = pd.DataFrame(
    [
        ("a", "NORMAL", "train", "p1", "1"),
        ("b", "NORMAL", "test", "p2", "2"),
        ("c", "NORMAL", "validation", "p1", "1"),
        ("d", "NORMAL", "train", "p3", "3"),
        ("e", "NORMAL", "train", "p3", "3"),
        ("f", "NORMAL", "train", "p4", "4"),
        ("g", "PNEUMONIA", "test", "p5", "5"),
        ("h", "NORMAL", "train", "p6", "6"),
    ],
    columns=["image", "label", "split", "patient", "sha256"],
)
GROUPS = [np.array([0, 1, 2]), np.array([3, 4]), np.array([5, 6])]


def test_the_test_splits_copy_stays_and_where_classes_disagree_none_does():
    assert MANIFEST["image"][copies.to_drop(GROUPS, MANIFEST)].tolist() == ["a", "c", "e", "f", "g"]
    assert MANIFEST["image"][copies.to_drop([np.array([0, 2])], MANIFEST)].tolist() == ["a"]
    assert not copies.to_drop([], MANIFEST).any()


def test_copies_are_counted_by_what_they_mean():
    assert copies.describe(GROUPS, MANIFEST, MANIFEST["split"].to_numpy(), np.arange(len(MANIFEST)) == 2) == {
        **{"groups": 3, "images": 7, "re_encoded": 2},
        **{"across_splits": 2, "across_classes": 1, "across_patients": 2},
        "examples": [["a", "b", "c"], ["f", "g"], ["d", "e"]],
        "dropped": 1,
    }
    left = np.where(copies.to_drop(GROUPS, MANIFEST), "", MANIFEST["split"])
    assert copies.describe(GROUPS, MANIFEST, left, left == "")["across_splits"] == 0
    assert copies.describe(GROUPS, MANIFEST, left, left == "")["dropped"] == 5


def test_patients_who_share_a_picture_are_linked():
    assert copies.linked_patients(GROUPS, MANIFEST).tolist() == ["p1", "p1", "p1", "p3", "p3", "p4", "p4", "p6"]
    assert copies.linked_patients([], MANIFEST).tolist() == MANIFEST["patient"].tolist()


@pytest.mark.medium
def test_simulated_radiographs_are_no_copies_of_each_other(tmp_path):
    write_radiographs(tmp_path, 60, 96, seed=1, difficulty=0.5)
    contents = [path.read_bytes() for path in sorted(tmp_path.rglob("*.jp*g"))]
    assert len(contents) == 60
    assert found(prepared(contents)) == []


@pytest.mark.medium
@pytest.mark.skipif("PNEUMONIA_BENCHMARK_DATA" not in os.environ, reason="PNEUMONIA_BENCHMARK_DATA names no folder")
def test_copies_of_real_radiographs_are_found_and_other_patients_are_not():
    folder = Path(os.environ["PNEUMONIA_BENCHMARK_DATA"], "data", "chest_xray_fullres")
    if not (paths := sorted(folder.glob("*/*.jpeg"))[::10]):
        pytest.skip(f"{folder} holds no images")
    contents = []
    for path in paths:
        with Image.open(path) as image:
            contents += [path.read_bytes(), *variants(image.convert("L"))]
    each = len(contents) // len(paths)
    assert found(prepared(contents)) == [list(range(i * each, (i + 1) * each)) for i in range(len(paths))]
