"""python compile.py names mistakes in one line."""

import pytest

from compile import main


def test_a_mistake_is_one_line(capsys, tmp_path):
    with pytest.raises(SystemExit) as stopped:
        main(["--gpus", "-1", "--output", str(tmp_path)])
    assert stopped.value.code == 2
    assert "--gpus '-1' is not understood: give a whole number" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
