"""Names of files are printed as plain text."""

import shutil

import pytest

from pipelines.predict import command


def test_a_files_name_gives_the_terminal_no_orders(run, films, tmp_path, capsys):
    names = ["a\n\x1b[31mred.png", "\udcff.png"]
    for name in names:
        shutil.copy(films / "test" / "1.png", tmp_path / name)
    (tmp_path / "b\x1b[2J.png").write_text("Dear colleague")
    with pytest.raises(SystemExit, match="1"):
        command.main(["--run", str(run), str(tmp_path)])
    printed = capsys.readouterr()
    assert len(printed.out.splitlines()) == 3
    assert "\x1b" not in printed.out + printed.err
    assert f"{tmp_path}/a\\n\\x1b[31mred.png" in printed.out
    assert f"{tmp_path}/\\udcff.png" in printed.out
