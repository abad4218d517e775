import inspect

import pytest

from components.console import UserError
from components.ingest import sources, synthetic
from components.ingest.sources import Directory, Synthetic, open_source

SETTINGS = {"images": 50, "size": 64, "seed": 3, "difficulty": 0.25}


def test_radiographs_are_drawn_as_asked_and_said_to_be_of_nobody(tmp_path, monkeypatch, capsys):
    calls, signature = [], inspect.signature(synthetic.write_radiographs)

    def draw(*arguments, **named):
        calls.append(signature.bind(*arguments, **named).arguments)
        calls[0].pop("on_progress")(20, 50)

    monkeypatch.setattr(sources.synthetic, "write_radiographs", draw)
    monkeypatch.setattr(sources.console.time, "monotonic", iter([0, 100, 100]).__next__)
    source = open_source("synthetic", "ignored", **SETTINGS)
    assert source.name == "synthetic"
    assert source.description() == "50 simulated radiographs of about 64 px (seed 3, difficulty 0.25): no real patients"
    assert source.fetch(tmp_path) == tmp_path
    assert calls == [SETTINGS | {"folder": tmp_path}]
    assert capsys.readouterr().out == "pneumonia-benchmark: ingest: 20 of 50 radiographs simulated\n"


def test_a_directory_is_used_where_it_is(tmp_path):
    (tmp_path / "data").mkdir()
    source = open_source("directory", str(tmp_path / "data"), **SETTINGS)
    assert source.name == "directory"
    assert source.description() == "the folder data"
    assert source.fetch(tmp_path / "workspace") == tmp_path / "data"


def test_the_present_directory_has_a_name_too(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert open_source("directory", ".", **SETTINGS).description() == f"the folder {tmp_path.name}"


@pytest.mark.parametrize("name", ["missing", "file"])
def test_a_path_that_is_no_folder_is_refused(tmp_path, name):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=f"there is no folder {tmp_path}/{name}: give the folder .* with --path"):
        Directory(tmp_path / name).fetch(tmp_path)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("directory", "the source directory needs a folder: give it with --path"),
        ("kagle", "there is no source 'kagle': choose one of synthetic, directory"),
    ],
)
def test_a_source_that_cannot_be_had_is_refused(source, message):
    with pytest.raises(UserError, match=message):
        open_source(source, "", **SETTINGS)


def test_every_source_can_be_opened():
    opened = [open_source(name, "somewhere", **SETTINGS) for name in sources.SOURCES]
    assert [source.name for source in opened] == list(sources.SOURCES)
    assert isinstance(opened[0], Synthetic)
