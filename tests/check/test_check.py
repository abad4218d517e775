"""Check: its lines, its error, and what it does not understand."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from components.artifacts import comparison, files
from components.check.__main__ import main
from components.check.check import check
from components.check.component import check as component
from components.console import UserError

FAILED = {
    "custom_cnn": {"cause": "crash", "reason": "its process was killed: see its log", "seconds": 3.0},
    "full_fine_tuning": {"cause": "out of memory", "reason": "out of memory: give it more", "seconds": 9.5},
}


@pytest.fixture
def write(tmp_path):
    """Writes a comparison of two regimes, and of those that failed; gives its folder."""

    def write(failed=None):
        content = files.header(comparison.KIND, files.now(), {}) | {"regimes": {"transfer_learning": {}, "x": {}}}
        comparison.save(tmp_path, content | ({} if failed is None else {"failed": failed}))
        return tmp_path

    return write


@pytest.mark.parametrize("failed", [None, {}])
def test_a_run_whose_regimes_were_all_trained_succeeds_and_says_so(write, capsys, failed):
    main([str(write(failed))])
    assert capsys.readouterr().out == "pneumonia-benchmark: check: all regimes were trained\n"


def test_each_regime_that_failed_is_a_line_and_all_of_them_are_the_error(write, capsys):
    with pytest.raises(SystemExit, match="2"):
        main([str(write(FAILED))])
    said = capsys.readouterr()
    assert said.out.splitlines() == [
        "pneumonia-benchmark: check: not trained: Custom CNN: its process was killed: see its log",
        "pneumonia-benchmark: check: not trained: Full fine-tuning: out of memory: give it more",
    ]
    assert said.err == (
        "pneumonia-benchmark: error: 2 of 4 regimes could not be trained. Custom CNN: its process was killed: see its "
        "log. Full fine-tuning: out of memory: give it more\n"
    )


def test_a_regime_that_failed_with_label_budgets_alone_is_an_error_too(write, tmp_path, capsys):
    content = json.loads((write() / "results.json").read_text())
    budgets = {"failed": {"custom_cnn": FAILED["custom_cnn"]}}
    files.write_json(tmp_path / "results.json", content | {"label_budgets": budgets})
    with pytest.raises(UserError, match=r"^1 regime could not be trained with label budgets\. Custom CNN: its"):
        check(tmp_path)
    assert "check: not trained with label budgets: Custom CNN: its process was killed" in capsys.readouterr().out
    files.write_json(tmp_path / "results.json", content | {"label_budgets": budgets, "failed": FAILED})
    with pytest.raises(UserError, match=r"2 of 4 regimes could not be trained\. .* 1 regime could not be trained"):
        check(tmp_path)


def test_what_is_no_comparison_is_refused(write, tmp_path):
    with pytest.raises(UserError, match=r"is not a complete comparison: it has no results\.json"):
        check(tmp_path)
    content = json.loads((write() / "results.json").read_text())
    (tmp_path / "results.json").write_text(json.dumps(content | {"kind": comparison.KIND_OF_RUNS}))
    with pytest.raises(UserError, match="describes a 'comparison of runs'"):
        check(tmp_path)


def test_the_component_ends_as_the_command_does(write, capsys):
    class Given:
        path = str(write(FAILED))

    with pytest.raises(SystemExit, match="2"):
        component.python_func(comparison=Given)
    assert "2 of 4 regimes could not be trained" in capsys.readouterr().err


def test_it_starts_without_what_the_other_steps_need():
    code = (
        "import sys, components.check.check; sys.exit(bool({'tensorflow', 'matplotlib', 'sklearn'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], check=False).returncode == 0
