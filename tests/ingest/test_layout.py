import os
from pathlib import Path

import pytest

from components.console import UserError
from components.ingest.layout import Found, count_ignored, find_images


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def listed(folder: Path) -> list[tuple[str, str, str]]:
    return [(item.image, item.label, item.split) for item in find_images(folder)]


@pytest.mark.parametrize("nested", ["", "chest_xray", "archive/chest_xray"])
def test_kaggles_layout_is_found_below_folders_that_hold_nothing_else(tmp_path, nested):
    images = [f"{split}/{label}/a.jpeg" for split in ("test", "train", "val") for label in ("NORMAL", "PNEUMONIA")]
    touch(tmp_path / nested, *images)
    touch(tmp_path, "__MACOSX/train/NORMAL/._a.jpeg", ".git/train/NORMAL/x.jpeg", "README.txt")
    splits = {"test": "test", "train": "train", "val": "validation"}
    assert listed(tmp_path) == [(name, name.split("/")[1], splits[name.split("/")[0]]) for name in images]
    assert {item.path for item in find_images(tmp_path)} == {tmp_path / nested / name for name in images}


@pytest.mark.parametrize("name", ["val", "valid", "validation", "VAL", "Validation"])
def test_a_validation_split_has_several_names(tmp_path, name):
    touch(tmp_path, f"{name}/NORMAL/a", "train/NORMAL/b", "train/PNEUMONIA/c")
    assert {image: split for image, _, split in listed(tmp_path)} == {
        f"{name}/NORMAL/a": "validation",
        "train/NORMAL/b": "train",
        "train/PNEUMONIA/c": "train",
    }


@pytest.mark.parametrize("nested", ["", "images/", "train/"])
def test_capitals_of_class_folders_do_not_matter(tmp_path, nested):
    touch(tmp_path, f"{nested}normal/a", f"{nested}Pneumonia/b")
    split = "train" if nested == "train/" else ""
    root = nested if split else ""
    assert listed(tmp_path) == [(f"{root}Pneumonia/b", "PNEUMONIA", split), (f"{root}normal/a", "NORMAL", split)]


def test_folders_below_a_class_belong_to_it(tmp_path):
    touch(tmp_path, "NORMAL/2020/may/a.png", "NORMAL/PNEUMONIA/b.png", "PNEUMONIA/train/c.png")
    assert listed(tmp_path) == [
        ("NORMAL/2020/may/a.png", "NORMAL", ""),
        ("NORMAL/PNEUMONIA/b.png", "NORMAL", ""),
        ("PNEUMONIA/train/c.png", "PNEUMONIA", ""),
    ]


def test_hidden_and_further_files_and_folders_are_left_out(tmp_path):
    touch(tmp_path, "NORMAL/a", "PNEUMONIA/b", "NORMAL/.hidden", "NORMAL/.trash/c", "NORMAL/__MACOSX/d", "c.jpeg")
    touch(tmp_path, "TUBERCULOSIS/e", "results/run/f", "0/NORMAL/g")
    assert [image for image, *_ in listed(tmp_path)] == ["NORMAL/a", "PNEUMONIA/b"]


def test_beside_split_folders_nothing_else_counts(tmp_path):
    touch(
        tmp_path, "train/NORMAL/a", "train/PNEUMONIA/b", "NORMAL/c", "train/other/d", "train/e", "chest/test/NORMAL/f"
    )
    assert [image for image, *_ in listed(tmp_path)] == ["train/NORMAL/a", "train/PNEUMONIA/b"]


def test_the_order_is_that_of_the_names_whatever_was_created_first(tmp_path):
    names = [
        f"{label}/{folder}{number}" for label in ("NORMAL", "PNEUMONIA") for folder in ("", "x/") for number in (1, 2)
    ]
    touch(tmp_path / "forward", *names)
    touch(tmp_path / "backward", *reversed(names))
    assert listed(tmp_path / "forward") == listed(tmp_path / "backward")
    assert [image for image, *_ in listed(tmp_path / "forward")] == sorted(names)


def test_files_of_a_folder_reached_by_a_link_are_found(tmp_path):
    touch(tmp_path / "data", "NORMAL/a", "PNEUMONIA/b")
    (tmp_path / "link").symlink_to("data")
    assert find_images(tmp_path / "link")[0] == Found(tmp_path / "link" / "NORMAL" / "a", "NORMAL/a", "NORMAL", "")


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], "contains no images in NORMAL and PNEUMONIA folders: expected {train,val,test}/"),
        (["a.jpeg", "healthy/b.jpeg", "ill/c.jpeg"], "contains no images in NORMAL and PNEUMONIA folders: expected"),
        (["train/a.jpeg", "test/images/NORMAL/b.jpeg"], "contains no images in NORMAL and PNEUMONIA folders: expected"),
        (["NORMAL/.hidden", "PNEUMONIA/.hidden"], "contains no images in NORMAL and PNEUMONIA folders: expected"),
        (["NORMAL/a"], "contains no images of the class PNEUMONIA: put some into a folder named PNEUMONIA"),
        (["train/PNEUMONIA/a", "test/PNEUMONIA/b"], "contains no images of the class NORMAL: put some into a folder"),
    ],
)
def test_a_folder_without_both_classes_is_refused_with_the_remedy(tmp_path, names, message):
    (tmp_path / "data").mkdir()
    touch(tmp_path / "data", *names)
    with pytest.raises(UserError, match=message) as raised:
        find_images(tmp_path / "data")
    assert str(raised.value).startswith(str(tmp_path / "data"))


def test_a_folder_that_cannot_be_read_is_not_left_out_silently(tmp_path, monkeypatch):
    touch(tmp_path, "NORMAL/a", "NORMAL/locked/b", "PNEUMONIA/c")
    scandir = os.scandir

    def refuse(path):
        if Path(path).name == "locked":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(PermissionError, match="locked"):
        find_images(tmp_path)


def test_linked_folders_in_a_class_are_left_out_with_a_word_and_linked_files_are_taken(tmp_path, capsys):
    touch(tmp_path, "data/NORMAL/a", "data/PNEUMONIA/b", "elsewhere/c")
    (tmp_path / "data" / "NORMAL" / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "data" / "NORMAL" / "circle").symlink_to(tmp_path / "data")
    (tmp_path / "data" / "NORMAL" / "file").symlink_to(tmp_path / "elsewhere" / "c")
    assert [image for image, *_ in listed(tmp_path / "data")] == ["NORMAL/a", "NORMAL/file", "PNEUMONIA/b"]
    assert f"2 linked folders in {tmp_path}/data/NORMAL are ignored" in capsys.readouterr().out


SYSTEM = [
    *("Thumbs.db", "thumbs.db", "ehthumbs.db", "desktop.ini", "Desktop.ini", ".DS_Store", "._a.jpeg", "Icon\r"),
    *("__MACOSX/._a.jpeg", "$RECYCLE.BIN/x.jpeg", "System Volume Information/x", "@eaDir/a.jpeg", "lost+found/x"),
    *("a.jpeg:Zone.Identifier", "~$a.docx", ".Trashes/x", ".Spotlight-V100/x"),
]


@pytest.mark.parametrize("name", SYSTEM)
@pytest.mark.parametrize("place", ["", "train/", "train/NORMAL/", "train/NORMAL/deeper/"])
def test_what_operating_systems_put_there_is_left_out_and_counted(tmp_path, name, place):
    images = [f"{split}/{label}/a.jpeg" for split in ("test", "train") for label in ("NORMAL", "PNEUMONIA")]
    touch(tmp_path, *images, f"{place}{name}")
    assert [item.image for item in find_images(tmp_path)] == images
    assert count_ignored(tmp_path) == 1


def test_a_name_like_an_operating_systems_is_an_image(tmp_path):
    touch(tmp_path, "NORMAL/thumbs.db.png", "PNEUMONIA/desktop.jpeg", "PNEUMONIA/icon.png")
    assert len(find_images(tmp_path)) == 3
    assert count_ignored(tmp_path) == 0


def test_system_folders_do_not_hide_the_root(tmp_path):
    touch(tmp_path, "data/NORMAL/a", "data/PNEUMONIA/b", "System Volume Information/x", "$RECYCLE.BIN/S-1/desktop.ini")
    assert [item.image for item in find_images(tmp_path)] == ["NORMAL/a", "PNEUMONIA/b"]
