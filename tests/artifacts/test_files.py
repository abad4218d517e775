import inspect
import json
import os
import re
from datetime import UTC, datetime, timedelta
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest

from components.artifacts import files
from components.console import UserError

HEADER = {"schema_version": 1, "kind": "raw dataset"}


def fill(path: Path, **content) -> None:
    """An artifact as any step writes it."""
    with files.new_folder(path) as folder:
        files.write_json(folder / "quality.json", HEADER | content)


def tree(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_a_folder_appears_only_when_it_is_whole(tmp_path):
    path = tmp_path / "deep" / "raw"
    with files.new_folder(str(path)) as folder:
        assert folder.parent == path.parent
        assert not list(folder.iterdir())
        (folder / "a").write_text("1")
        assert not path.exists()
    assert tree(tmp_path) == {"deep/raw/a": "1"}
    assert [item.name for item in path.parent.iterdir()] == ["raw"]


@pytest.mark.parametrize("older", [False, True])
def test_a_failure_leaves_everything_as_it_was(tmp_path, older):
    if older:
        fill(tmp_path / "raw", version="older")
    before = tree(tmp_path)
    with pytest.raises(KeyboardInterrupt), files.new_folder(tmp_path / "raw") as folder:
        (folder / "half").write_text("half")
        raise KeyboardInterrupt
    assert tree(tmp_path) == before
    assert len(list(tmp_path.iterdir())) == older


def test_an_older_artifact_is_replaced_as_a_whole(tmp_path):
    fill(tmp_path / "raw", version="older")
    (tmp_path / "raw" / "images.zip").write_text("older")
    fill(tmp_path / "raw", version="newer")
    assert list(tree(tmp_path)) == ["raw/quality.json"]
    assert files.read_json(tmp_path / "raw" / "quality.json", "raw dataset")["version"] == "newer"
    assert [item.name for item in tmp_path.iterdir()] == ["raw"]


def test_an_empty_folder_and_the_rest_of_a_killed_process_are_no_hindrance(tmp_path):
    (tmp_path / "raw").mkdir()
    rest = tmp_path / f".raw.partial-{os.getpid()}"
    rest.mkdir()
    (rest / "junk").write_text("junk")
    fill(tmp_path / "raw")
    assert list(tree(tmp_path)) == ["raw/quality.json"]


def test_a_link_and_dots_in_the_path_lead_to_the_folder_meant(tmp_path):
    fill(tmp_path / "runs" / "one", version="older")
    (tmp_path / "latest").symlink_to("runs/one")
    fill(tmp_path / "runs" / ".." / "latest", version="newer")
    assert (tmp_path / "latest").is_symlink()
    assert files.read_json(tmp_path / "runs" / "one" / "quality.json", "raw dataset")["version"] == "newer"


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("photos", "photos contains other files than an artifact's, .*choose an empty folder"),
        ("photos/cat.json", "cat.json is a file, not a folder: choose another location"),
        ("photos/cat.json/raw", "cat.json is not a folder: choose another location for raw"),
        ("photos/cat.json/deep/raw", "deep is not a folder: choose another location for raw"),
        (".", "contains other files than an artifact's"),
        ("/", "/ is a mount point.*choose a new folder below it"),
    ],
)
def test_the_users_own_files_are_never_replaced(tmp_path, monkeypatch, output, message):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=message), files.new_folder(output):
        pytest.fail("the work began although its output has no place")
    assert tree(tmp_path) == {"photos/cat.json": "{}"}


def test_files_that_come_into_the_place_during_the_work_are_kept(tmp_path):
    with (
        pytest.raises(UserError, match="raw contains other files than an artifact's"),
        files.new_folder(tmp_path / "raw"),
    ):
        (tmp_path / "raw").mkdir()
        (tmp_path / "raw" / "mine").write_text("mine")
    assert tree(tmp_path) == {"raw/mine": "mine"}


def test_a_text_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "deep" / "a.txt"
    files.write_text(path, "Größe")
    assert path.read_bytes() == "Größe".encode()
    with pytest.raises(UnicodeEncodeError):
        files.write_text(path, "newer \udcff")
    assert tree(tmp_path) == {"deep/a.txt": "Größe"}


def test_json_has_only_finite_plain_values(tmp_path):
    nan, inf = float("nan"), float("inf")
    content = {
        "plain": [1, 2.5, "x", None, True],
        "bad": (nan, inf, -inf),
        "numpy": {
            "array": np.array([[1.5, np.nan]]),
            "float": np.float32(np.inf),
            "int": np.int64(3),
            np.int64(7): np.bool_(1),
        },
    }
    files.write_json(tmp_path / "a.json", content)
    text = (tmp_path / "a.json").read_text()
    assert text.endswith("}\n")
    assert json.loads(text, parse_constant=pytest.fail) == {
        "plain": [1, 2.5, "x", None, True],
        "bad": [None, None, None],
        "numpy": {"array": [[1.5, None]], "float": None, "int": 3, "7": True},
    }


def test_json_is_read_as_it_was_written(tmp_path):
    files.write_json(tmp_path / "a.json", HEADER | {"name": "é\udcff"})
    assert files.read_json(str(tmp_path / "a.json"), "raw dataset") == HEADER | {"name": "é\udcff"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "raw is not a complete raw dataset: it has no quality.json; run the step again"),
        (b"", "quality.json is damaged .*; run the step that wrote it again"),
        (b'{"kind": "raw', "quality.json is damaged .*; run the step that wrote it again"),
        (b'"\xff"', "quality.json is damaged .*; run the step that wrote it again"),
        (b"[1]", "quality.json is damaged .*; run the step that wrote it again"),
        (b'{"schema_version": 1}', "quality.json describes a None, not a 'raw dataset': check which"),
        (b'{"schema_version": 1, "kind": "evaluation"}', "quality.json describes a 'evaluation', not a 'raw dataset'"),
        (b'{"kind": "raw dataset"}', "quality.json has schema version None, this code reads 1: run the step"),
        (b'{"kind": "raw dataset", "schema_version": 0}', "quality.json has schema version 0"),
        (b'{"kind": "raw dataset", "schema_version": 2}', "quality.json has schema version 2"),
    ],
)
def test_an_unusable_json_file_is_named_with_the_remedy(tmp_path, content, message):
    path = tmp_path / "raw" / "quality.json"
    path.parent.mkdir()
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=message) as raised:
        files.read_json(path, "raw dataset")
    assert str(path.parent) in str(raised.value)


def test_a_file_given_for_an_artifact_is_named(tmp_path):
    (tmp_path / "data.zip").write_text("zip")
    with pytest.raises(UserError, match=r"data.zip is not a complete raw dataset"):
        files.read_json(tmp_path / "data.zip" / "quality.json", "raw dataset")


def test_names_in_a_table_stay_text(tmp_path):
    (tmp_path / "a.csv").write_text("image,split,patient,sha256,label,score\n007,NA,1e5,12,1,0.5\n8,,nan,13,0,1\n")
    table = files.read_table(tmp_path / "a.csv", "evaluation", ["image", "score"])
    assert table.loc[0].tolist() == ["007", "NA", "1e5", "12", 1, 0.5]
    assert table.loc[1].tolist() == ["8", "", "nan", "13", 0, 1.0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "is not a complete evaluation: it has no a.csv; run the step again"),
        ("", "a.csv is damaged .*; run the step that wrote it again"),
        ('image,label\n"x', "a.csv is damaged .*; run the step that wrote it again"),
        ("label\n1\n", "a.csv lacks the columns image, score; run the step that wrote it again"),
    ],
)
def test_an_unusable_table_is_named_with_the_remedy(tmp_path, content, message):
    if content is not None:
        (tmp_path / "a.csv").write_text(content)
    with pytest.raises(UserError, match=message):
        files.read_table(tmp_path / "a.csv", "evaluation", ["image", "label", "score"])


def test_a_header_says_what_it_is_and_what_made_it():
    before = files.now().replace(microsecond=0)
    header = files.header("raw dataset", datetime(2026, 1, 31, 12, 0, 59, 999999, tzinfo=UTC), {"seed": 3})
    assert (header["schema_version"], header["kind"]) == (1, "raw dataset")
    made_by = header["made_by"]
    assert set(made_by) == {"started", "finished", "arguments", "versions"}
    assert (made_by["started"], made_by["arguments"]) == ("2026-01-31T12:00:59Z", {"seed": 3})
    finished = datetime.fromisoformat(made_by["finished"])
    assert before <= finished <= before + timedelta(minutes=1)


def test_versions_leave_out_what_is_not_installed(monkeypatch):
    def version(name):
        if name != "numpy":
            raise metadata.PackageNotFoundError(name)
        return np.__version__

    monkeypatch.setattr(files.metadata, "version", version)
    found = inspect.unwrap(files.versions)()  # tests of compare cache it
    assert set(found) == {"pneumonia-benchmark", "python", "numpy"}
    assert found["numpy"] == np.__version__
    assert re.match(r"3\.\d+", found["python"])
