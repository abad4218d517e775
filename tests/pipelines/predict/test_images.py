"""Image files are found and read as by ingest and preprocess."""

import os
from pathlib import Path

import pytest
from PIL import Image

from pipelines.predict import images
from tests.train.conftest import SIZE


def test_an_image_without_contrast_gets_no_score(tmp_path):
    Image.new("L", (60, 60), 9).save(tmp_path / "blank.png")
    with pytest.raises(ValueError, match="the image shows nothing: all of it has one grey value"):
        images.read(tmp_path / "blank.png", 32)


def test_what_is_no_regular_file_is_refused_unread(tmp_path, monkeypatch):
    monkeypatch.setattr(Path, "read_bytes", lambda path: pytest.fail(f"{path} is read"))
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "gone.png").symlink_to("nowhere")
    for path in (tmp_path / "pipe.png", Path("/dev/zero")):
        with pytest.raises(ValueError, match="not a regular file"):
            images.read(path, SIZE)
    with pytest.raises(ValueError, match="cannot be read"):
        images.read(tmp_path / "gone.png", SIZE)


def test_a_folder_that_may_not_be_read_is_not_left_out_unsaid(tmp_path, monkeypatch):
    error = PermissionError(13, "Permission denied", str(tmp_path))
    monkeypatch.setattr(os, "scandir", lambda *_: (_ for _ in ()).throw(error))
    with pytest.raises(PermissionError):
        images.find([tmp_path])


def test_hidden_files_and_linked_folders_are_left_out(tmp_path, capsys):
    for name in ("a.png", ".DS_Store", ".hidden/b.png", "below/c.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "circle").symlink_to(tmp_path)
    assert images.find([tmp_path]) == [tmp_path / "a.png", tmp_path / "below" / "c.png"]
    assert f"{tmp_path / 'circle'} is a link to a folder and skipped" in capsys.readouterr().err


def test_a_file_of_500_mb_is_refused_unread(tmp_path):
    with (tmp_path / "large.png").open("wb") as file:
        file.truncate(500_000_001)
    with pytest.raises(ValueError, match="the file is larger than 500 MB"):
        images.read(tmp_path / "large.png", 32)
