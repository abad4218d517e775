import errno

import pytest

from components import console
from components.console import Progress, UserError, plain_errors, say


def test_a_progress_line_is_one_line_with_the_prefix(capsys):
    say("train custom_cnn", "epoch 1:\n  loss\t0.5 ")
    assert capsys.readouterr().out == "pneumonia-benchmark: train custom_cnn: epoch 1: loss 0.5\n"


def test_progress_speaks_at_most_once_in_the_given_time(capsys, monkeypatch):
    clock = iter([0.0, 9.9, 10.0, 10.0, 19.9, 20.0, 20.0])
    monkeypatch.setattr(console.time, "monotonic", lambda: next(clock))
    progress = Progress("ingest", "files read", total=9, seconds=10)
    for done in (1, 2, 3, 4):
        progress.reach(done)
    assert capsys.readouterr().out.splitlines() == [
        "pneumonia-benchmark: ingest: 2 of 9 files read",
        "pneumonia-benchmark: ingest: 4 of 9 files read",
    ]


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (UserError("no folder /x:\n  check --path"), "no folder /x: check --path"),
        (
            PermissionError(errno.EACCES, "Permission denied", "/data/x"),
            "no permission for /data/x: change its owner or mode, or choose another folder",
        ),
        (
            PermissionError("not allowed"),
            "no permission for what the step has to read or write (not allowed): change its owner or mode, "
            "or choose another folder",
        ),
        (
            OSError(errno.ENOSPC, "No space left on device", "/out/train.npy"),
            "the disk is full while writing /out/train.npy: free some space or choose another output folder, "
            "then run again",
        ),
        (
            OSError(errno.EDQUOT, "Disk quota exceeded"),
            "the disk is full: free some space or choose another output folder, then run again",
        ),
        (
            UnicodeEncodeError("utf-8", '{"path": "/R\udcf6ntgen"}', 12, 13, "surrogates not allowed"),
            """a name is not UTF-8, see '{"path": "/R\\\\udcf6ntgen"}': rename the file or folder""",
        ),
        (UserError("there is no \udcf6"), "there is no \\udcf6"),
        (OSError(errno.EROFS, "Read-only", "/mnt/x"), "/mnt/x is on a read-only disk: choose another folder"),
    ],
)
def test_what_the_user_can_mend_ends_with_one_line_and_code_2(capsys, error, line):
    with pytest.raises(SystemExit) as ended, plain_errors():
        raise error
    assert ended.value.code == 2
    assert capsys.readouterr() == ("", f"pneumonia-benchmark: error: {line}\n")


@pytest.mark.parametrize(
    "error",
    [
        UnicodeEncodeError("ascii", "–", 0, 1, "ordinal not in range"),
        ValueError("x"),
        FileNotFoundError(errno.ENOENT, "No such file", "x"),
        OSError(errno.EIO, "I/O"),
        OSError("x"),
    ],
)
def test_defects_keep_their_traceback(capsys, error):
    with pytest.raises(type(error)) as raised, plain_errors():
        raise error
    assert raised.value is error
    assert capsys.readouterr() == ("", "")


def test_without_an_error_nothing_is_said(capsys):
    with plain_errors():
        pass
    assert capsys.readouterr() == ("", "")


def test_ctrl_c_ends_with_one_line_and_the_shells_code(capsys):
    with pytest.raises(SystemExit) as ended, plain_errors():
        raise KeyboardInterrupt
    assert ended.value.code == 130
    assert "stopped before the end" in capsys.readouterr().err


def test_a_name_that_is_not_utf_8_is_named_wherever_it_is_in_a_path(tmp_path, monkeypatch):
    folder = tmp_path / "R\udcf6ntgen"
    (folder / "below").mkdir(parents=True)
    for path in (folder, folder / "below", str(folder / "x.png")):
        with pytest.raises(UserError, match=r"the name of .*/R\\udcf6ntgen is not UTF-8: rename it"):
            console.check_name(path)
    console.check_name(tmp_path / "Röntgen")
    monkeypatch.chdir(folder)
    with pytest.raises(UserError, match="is not UTF-8"):
        console.check_name("data")
