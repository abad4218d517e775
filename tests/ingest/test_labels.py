import re

import pytest

from components.artifacts.raw_dataset import RawDataset
from components.console import UserError
from components.ingest.ingest import ingest
from components.ingest.labels import read_labels, table_of
from components.ingest.layout import Found
from components.parameters import IngestParameters


def write(folder, *lines, name="labels.csv", encoding="utf-8"):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("\n".join(lines) + "\n", encoding=encoding)
    return folder / name


ROWS = ("b.png,NORMAL", "sub/a.png,PNEUMONIA")


def test_a_table_gives_paths_below_its_folder_labels_splits_and_patients(tmp_path):
    table = write(
        tmp_path,
        "Patient_ID,File,Class,Split",
        "p2,b.png,pneumonia,VAL",
        "p1,sub/a.png,0,train",
        ",sub\\c.png,1,test",
    )
    assert read_labels(table)[0] == [
        Found(tmp_path / "b.png", "b.png", "PNEUMONIA", "validation", "p2"),
        Found(tmp_path / "sub" / "a.png", "sub/a.png", "NORMAL", "train", "p1"),
        Found(tmp_path / "sub" / "c.png", "sub/c.png", "PNEUMONIA", "test", ""),
    ]


@pytest.mark.parametrize("header", ["image,label", "path,class", "file,target", "FileName , Label"])
def test_columns_have_several_names(tmp_path, header):
    assert [item.image for item in read_labels(write(tmp_path, header, *ROWS))[0]] == ["b.png", "sub/a.png"]


def test_a_spreadsheets_way_of_writing_is_understood(tmp_path):
    table = write(tmp_path, "image;label", *(row.replace(",", ";") for row in ROWS), encoding="utf-8-sig")
    assert [item.label for item in read_labels(table)[0]] == ["NORMAL", "PNEUMONIA"]


@pytest.mark.parametrize(
    "lines",
    [
        ["image,label", "b.png,NORMAL,", "sub/a.png,PNEUMONIA,,"],
        ["image,label,", "b.png,NORMAL,", "sub/a.png,PNEUMONIA"],
        ["", "image,label", *ROWS][1:],
        ["image,label", "", ROWS[0], ",", ROWS[1], ""],
        ["sep=;", "image;label", "b.png;NORMAL", "sub/a.png;PNEUMONIA"],
        ['"sep=,"', "image,label", *ROWS],
        ["SEP=|", "image|label", "b.png|0", "sub/a.png|1"],
        ["sep=:", "image:label", "b.png:0", "sub/a.png:1"],
        ["image\tlabel", "b.png\tNORMAL", "sub/a.png\tPNEUMONIA"],
        ["image|label", "b.png|NORMAL", "sub/a.png|PNEUMONIA"],
        ["image;label;remark, if any", "b.png;NORMAL;a, b, c", "sub/a.png;PNEUMONIA;"],
        ['"image", "label"', '"b.png", "NORMAL"', '"sub/a.png", "PNEUMONIA"'],
        ["remark,image,label", '"two\nlines, quoted ""so""",b.png,0', ",sub/a.png,1"],
        ["image,label", *ROWS, "sub/Thumbs.db,NORMAL"],
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_tables_of_spreadsheets_and_scripts_are_read_as_they_are_meant(tmp_path, lines, end):
    (tmp_path / "labels.csv").write_text(end.join(lines), newline="")
    found, _ = read_labels(tmp_path / "labels.csv")
    assert [(item.image, item.label) for item in found] == [("b.png", "NORMAL"), ("sub/a.png", "PNEUMONIA")]


def test_a_comma_at_the_end_of_rows_shifts_no_column(tmp_path):
    rows = [f"{number}.png,{number % 2},p{number}," for number in range(4)]
    found, _ = read_labels(write(tmp_path, "image,label,patient", *rows))
    assert [(item.image, item.label, item.patient) for item in found] == [
        ("0.png", "NORMAL", "p0"),
        ("1.png", "PNEUMONIA", "p1"),
        ("2.png", "NORMAL", "p2"),
        ("3.png", "PNEUMONIA", "p3"),
    ]


def test_rows_are_named_by_their_line_in_the_file(tmp_path):
    with pytest.raises(UserError, match="row 6 has the label 'x'"):
        read_labels(write(tmp_path, "sep=,", "remark,image,label", '"a\nb",a.png,0', "", ",b.png,x"))


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["image", "a.png"], "has no column label: name one column label or class or target"),
        (["label", "0"], "has no column image: name one column image or path or file or filename"),
        (
            ["image,label", "../a.png,0"],
            r"row 2: \.\./a\.png leads out of its folder: give paths relative to the table",
        ),
        (["image,label", "a.png,0", "/etc/passwd,1"], "row 3: /etc/passwd is an absolute path: give paths"),
        (["image,label", "C:\\a.png,0"], "is an absolute path"),
        (["image,label", ",0"], "row 2 does not name an image"),
        (["image,label", "a.png,COVID"], "row 2 has the label 'COVID': use NORMAL and PNEUMONIA, or 0 and 1"),
        (["image,label", "a.png,"], "row 2 has the label ''"),
        (["image,label,split", "a.png,0,holdout"], "row 2 has the split 'holdout': use train, validation or test"),
        (["image,label,split", "a.png,0,train", "b.png,1,"], "has a split for some images only"),
        (["image,label", "a.png,0", "b.png,1", "a.png,1"], r"rows 2 and 4 both name a\.png"),
        (["image,label", "a.png,0", "./a.png,0"], "rows 2 and 3 both name a.png"),
        (["image,label", "a.png,0"], "lists no images of the class PNEUMONIA"),
        (["image,label"], "lists no images of the class NORMAL"),
        (
            ["image,label", "a.png,0", "b,c.png,1"],
            "row 3 has 3 cells, but the table has 2 columns: quote cells that contain ','",
        ),
        (["image,label", "a.png"], "row 2 has the label ''"),
        ([""], "is not a CSV table in UTF-8"),
        (["image,label", 'a.png,"0', "b"], "is not a CSV table in UTF-8"),
    ],
)
def test_a_row_that_cannot_be_used_is_named_with_the_remedy(tmp_path, lines, message):
    table = write(tmp_path, *lines)
    with pytest.raises(UserError, match=message) as raised:
        read_labels(table)
    assert str(table) in str(raised.value)


def test_a_table_of_too_many_rows_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("components.ingest.labels.MAX_FILES", 2)
    with pytest.raises(UserError, match="has more than 2 rows"):
        read_labels(write(tmp_path, "image,label", "a,0", "b,1", "c,1"))


def test_a_table_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "labels.csv").write_bytes(b"\xff\xfe\x00image,label")
    with pytest.raises(UserError, match="is not a CSV table in UTF-8"):
        read_labels(tmp_path / "labels.csv")


def test_the_table_is_found_in_the_folder_or_below_folders_that_hold_nothing_else(tmp_path):
    (tmp_path / "data" / "images").mkdir(parents=True)
    assert table_of(tmp_path) is None
    table = write(tmp_path / "data", "image,label", *ROWS)
    assert table_of(tmp_path) == table_of(tmp_path / "data") == table_of(table) == table


def test_images_labelled_by_a_table_are_ingested_with_its_patients(tmp_path, write_image, capsys):
    for name in ("a", "b", "c"):
        write_image(tmp_path / "data" / "images" / f"{name}.png")
    rows = ("images/a.png,0,x", "images/b.png,1,y", "images/c.png,1,", "images/missing.png,1,z")
    write(tmp_path / "data", "image,label,patient", *rows)
    report = ingest(
        tmp_path / "raw", IngestParameters(source="directory", path=str(tmp_path / "data"), max_bad_fraction=0.5)
    )
    assert report["counts"] == {"unsplit": {"NORMAL": 1, "PNEUMONIA": 2}}
    assert (report["patients"], report["patient_unknown"]) == (3, 1)
    assert report["refused"] == [{"image": "images/missing.png", "reason": "cannot be read: No such file or directory"}]
    assert "labels are read from labels.csv" in capsys.readouterr().out
    patients = RawDataset.load(tmp_path / "raw").manifest.set_index("image")["patient"]
    assert patients["images/c.png"] == "images/c.png"
    assert re.fullmatch("patient-[0-9a-f]{16}", patients["images/a.png"]), "a hospital's number is not carried on"


@pytest.mark.parametrize("name", ["Thumbs.db", "desktop.ini", ".DS_Store", "._a.png"])
def test_rows_of_files_that_an_operating_system_made_are_counted_as_left_out(tmp_path, name):
    found, ignored = read_labels(write(tmp_path, "image,label", *ROWS, f"sub/{name},0", f"{name},1"))
    assert [item.image for item in found] == ["b.png", "sub/a.png"]
    assert ignored == 2
