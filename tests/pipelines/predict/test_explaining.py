"""Pictures show where the model found signs of pneumonia, and replace no other file."""

import hashlib
import shutil

import numpy as np
import pytest
from PIL import Image

from pipelines.predict import command, explaining


def test_images_are_explained_under_names_of_their_own(run, films, tmp_path, painted):
    other = tmp_path / "1.png"
    Image.open(films / "test" / "2.png").save(other)
    command.main(["--run", str(run), str(films / "test" / "1.png"), str(other), "--explain", str(tmp_path / "seen")])
    assert sorted(path.name for path in (tmp_path / "seen").iterdir()) == ["1-2.png", "1.png"]
    assert painted == [2]
    picture = np.asarray(Image.open(tmp_path / "seen" / "1.png").convert("RGB")).astype(int)
    assert picture.shape == (explaining.SMALLEST_PICTURE, 2 * explaining.SMALLEST_PICTURE, 3)
    plain, warm = np.split(picture, 2, axis=1)
    side = len(plain)
    assert (plain[..., 0] == plain[..., 2]).all()
    changed = np.abs(warm - plain).sum(axis=2)
    assert changed[: side // 4, -side // 4 :].mean() > 2 * changed[side // 2 :, : side // 2].mean()


@pytest.mark.parametrize("place", [".", "seen"])
def test_pictures_never_replace_images_or_come_among_them(run, films, tmp_path, painted, place, capsys):
    folder = tmp_path / "films"
    shutil.copytree(films / "test", folder)
    before = {path.name: hashlib.sha256(path.read_bytes()).digest() for path in folder.iterdir()}
    for image in (folder, folder / "1.png"):
        if image == folder or place == ".":
            with pytest.raises(SystemExit, match="2"):
                command.main(["--run", str(run), str(image), "--explain", str(folder / place)])
            assert "for --explain" in capsys.readouterr().err
    assert {path.name: hashlib.sha256(path.read_bytes()).digest() for path in folder.iterdir()} == before
    assert painted == []


def test_a_file_in_place_of_the_pictures_folder_is_named(run, films, tmp_path, capsys):
    (tmp_path / "seen").write_text("Dear colleague")
    with pytest.raises(SystemExit, match="2"):
        command.main(["--run", str(run), str(films / "test" / "1.png"), "--explain", str(tmp_path / "seen")])
    assert f"{tmp_path / 'seen'} is a file: choose another folder for --explain" in capsys.readouterr().err
    assert (tmp_path / "seen").read_text() == "Dear colleague"


def test_pictures_names_are_short_plain_and_differ_whatever_the_capitals():
    taken = set()
    stems = ["x" * 255, "x" * 255, "a", "A", "a-2", "..", "a\n\x1b[31m", "\udcff", "Röntgen"]
    names = [explaining._unused_name(stem, taken) for stem in stems]
    assert names == ["x" * 200, "x" * 200 + "-2", "a", "A-2", "a-2-2", "_", "a___31m", "_-2", "R_ntgen"]
    assert len({name.lower() for name in names}) == len(names)


def test_a_model_without_maps_is_not_explained(run, films, tmp_path, capsys):
    with pytest.raises(SystemExit, match="2"):
        command.main(["--run", str(run), str(films / "test" / "1.png"), "--explain", str(tmp_path / "seen")])
    assert "omit --explain" in capsys.readouterr().err
    assert not (tmp_path / "seen").exists()
