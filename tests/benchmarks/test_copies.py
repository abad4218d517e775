import json

import numpy as np
import pytest
from PIL import Image

from benchmarks import copies


def test_copies_are_counted_by_how_they_were_made_and_other_patients_by_how_near_they_are(tmp_path, capsys):
    for number in range(6):
        label = ("NORMAL", "PNEUMONIA")[number % 2]
        name = (f"IM-{number:04}-0001.png", f"person{number}_virus_1.png")[number % 2]
        (tmp_path / label).mkdir(exist_ok=True)
        noise = np.random.default_rng(number).integers(256, size=(20, 20)).astype(np.uint8)
        Image.fromarray(noise).resize((200, 200), Image.Resampling.BICUBIC).save(tmp_path / label / name)
    copies.main(["--path", str(tmp_path), "--images", "3", "--json", str(tmp_path / "result.json")])
    result = json.loads((tmp_path / "result.json").read_text())
    assert [row["images"] for row in result["copies"]] == [3] * 12
    assert {row["copied"]: row["found"] for row in result["copies"]}["PNG"] == 3
    assert all(0.9 < row["least"] <= 1 for row in result["copies"])
    near = [(row["bits"], row["pairs"], row["wrong"]) for row in result["near_pairs"]]
    assert near == [(4, 0, 0), (8, 0, 0), (12, 0, 0)]
    assert "3 of 3" in capsys.readouterr().out


@pytest.mark.parametrize("words", [["--path", "missing"], ["--path", ".", "--images", "0"]])
def test_a_mistake_is_told_in_one_line(words, capsys):
    with pytest.raises(SystemExit, match="2"):
        copies.main(words)
    assert capsys.readouterr().err.count("\n") == 1
