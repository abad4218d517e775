import json

import numpy as np
import pytest
from PIL import Image

from benchmarks import decoding


@pytest.fixture
def folder(tmp_path):
    """Six images, in the layout without splits."""
    random = np.random.default_rng(0)
    for label in ("NORMAL", "PNEUMONIA"):
        (tmp_path / "images" / label).mkdir(parents=True)
        for number in range(3):
            pixels = random.integers(256, size=(70, 80), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "images" / label / f"film {number}.jpeg")
    return tmp_path / "images"


@pytest.mark.slow
def test_both_ways_decode_all_images(folder, tmp_path, capsys):
    words = ["--path", folder, "--image-size", 32, "--images", 50, "--repetitions", 2, "--json", tmp_path / "out.json"]
    decoding.main(map(str, words))
    result = json.loads((tmp_path / "out.json").read_text())
    assert (result["images"], result["image_size"]) == (50, 32)
    assert result["machine"]["versions"]["pillow"]
    assert set(result["seconds"]) == set(decoding.WAYS)
    for way, seconds in result["seconds"].items():
        assert len(seconds) == 2
        assert result["images_per_second"][way] == pytest.approx(50 / np.median(seconds))
    speed = result["images_per_second"]
    assert result["ratio"] == pytest.approx(speed["preprocess"] / speed["pillow"])
    printed = capsys.readouterr().out
    assert "repetition 2 of 2: Pillow, one process" in printed
    assert f"{result['ratio']:.2f} times as fast; medians of 2 repetitions" in printed


@pytest.mark.slow
def test_an_image_that_cannot_be_decoded_spoils_the_comparison(folder, capsys):
    broken = folder / "NORMAL" / "film 0.jpeg"
    broken.write_bytes(broken.read_bytes()[:-600])
    with pytest.raises(SystemExit, match="2"):
        decoding.main(["--path", str(folder), "--images", "50", "--repetitions", "1"])
    error = capsys.readouterr().err
    assert "error: a measured process failed: " in error
    assert "image file is truncated" in error


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--path", "missing"], "there is no folder missing: check --path"),
        (["--path", ".", "--images", "39"], "--images 39 is too few for three splits: give 40 or more"),
        (["--path", ".", "--repetitions", "0"], "--repetitions is 0: give 1 or more"),
    ],
)
def test_an_impossible_request_is_one_line(words, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match="2"):
        decoding.main(words)
    assert capsys.readouterr().err == f"pneumonia-benchmark: error: {message}\n"
