"""Images are scored batch by batch; files that cannot be used do not stop the others."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipelines.predict import command, images, predicting
from tests.imaging.dicom_files import make_dicom
from tests.train.conftest import SIZE


def test_where_all_files_are_refused_nothing_is_predicted(run, tmp_path, painted, capsys):
    (tmp_path / "letter.png").write_text("Dear colleague")
    with pytest.raises(SystemExit, match="1"):
        command.main(["--run", str(run), str(tmp_path / "letter.png"), "--explain", str(tmp_path / "seen")])
    assert capsys.readouterr().out == ""
    assert painted == []
    assert not (tmp_path / "seen").exists()


@pytest.mark.medium
def test_more_images_than_a_batch_are_read_batch_by_batch(run, films, tmp_path, painted, monkeypatch, capsys):
    command.main(["--run", str(run), "--json", str(films)])
    expected = {row["image"]: row["score"] for row in json.loads(capsys.readouterr().out)["images"]}
    monkeypatch.setattr(predicting, "BATCH_SIZE", 16)
    (tmp_path / "letter.png").write_text("Dear colleague")
    progress = []
    monkeypatch.setattr(predicting.console.Progress, "reach", lambda _, done: (progress.append(done), print(done)))
    places = [str(tmp_path / "letter.png"), str(films)]
    with pytest.raises(SystemExit, match="1"):
        command.main(["--run", str(run), "--json", *places, "--explain", str(tmp_path / "seen")])
    printed = capsys.readouterr()
    found = {row["image"]: row["score"] for row in json.loads(printed.out)["images"]}
    assert found == pytest.approx(expected, abs=1e-6)
    assert progress == [17, 33, 41]
    assert painted == [16, 16, 8]
    assert "1 of 41 files could not be used" in printed.err


def test_a_dicom_file_is_scored_as_the_same_picture_in_png(run, tmp_path, capsys):
    pixels = np.random.default_rng(1).integers(0, 256, (SIZE + 8, SIZE), np.uint8)
    pixels[0, :2] = 0, 255
    (tmp_path / "a.dcm").write_bytes(make_dicom(pixels, WindowCenter=128, WindowWidth=256))
    Image.fromarray(pixels).save(tmp_path / "b.png")
    command.main(["--run", str(run), "--json", str(tmp_path)])
    dicom, png = json.loads(capsys.readouterr().out)["images"]
    assert dicom["score"] == pytest.approx(png["score"], abs=1e-6)
    assert np.array_equal(images.read(tmp_path / "a.dcm", SIZE), pixels[4:-4])


def test_a_file_that_may_not_be_read_does_not_stop_the_others(run, films, monkeypatch, capsys):
    locked = films / "test" / "2.png"
    whole = Path.read_bytes

    def read_bytes(path):
        if path == locked:
            raise PermissionError(13, "Permission denied", str(path))
        return whole(path)

    monkeypatch.setattr(Path, "read_bytes", read_bytes)
    with pytest.raises(SystemExit, match="1"):
        command.main(["--run", str(run), "--json", str(films)])
    printed = capsys.readouterr()
    assert len(json.loads(printed.out)["images"]) == 39
    assert f"{locked}: cannot be read (Permission denied)" in printed.err
