"""Regimes whose training failed: the others are compared as if only they had been given."""

import json

import pytest

from components.artifacts.names import FLOOR, REGIMES
from components.compare import inputs, results, run_differences, runs
from components.compare.__main__ import main
from components.compare.compare import build, compare
from components.console import UserError
from tests.compare.conftest import write_failure


def given_with(write, failed, **settings):
    """Folders of all regimes, in another order than theirs, and of the baseline."""
    folders = [
        write.failure(name, **settings) if name in failed else write.evaluation(name) for name in reversed(REGIMES)
    ]
    return [*folders, write.evaluation(FLOOR)]


@pytest.mark.parametrize("failed", [(name,) for name in REGIMES] + [REGIMES[1::2], REGIMES[:3]], ids=" ".join)
def test_the_others_are_compared_as_if_only_they_had_been_given(write, failed):
    folders, summary = given_with(write, failed), write.summary()
    given = inputs.load(folders, summary)
    assert [own["regime"] for own in given.failures] == list(failed)
    alone = inputs.load([folder for folder in folders if not (folder / "failed.json").exists()], summary)
    assert list(given.regimes) == list(alone.regimes) == [name for name in REGIMES if name not in failed]
    found, expected = results.build(given, "run"), results.build(alone, "run")
    assert "failed" not in expected
    entry = {"cause": "out of memory", "reason": "use a smaller --batch-size", "seconds": 185.0}
    assert found.pop("failed") == dict.fromkeys(failed, entry)
    assert json.dumps(found) == json.dumps(expected)


def test_the_decision_does_not_depend_on_what_failed(write):
    folders, summary = given_with(write, ["partial_fine_tuning"]), write.summary()
    found = build(inputs.load(folders, summary), "run")["recommendation"]
    alone = build(inputs.load([own for own in folders if "failed" not in own.name], summary), "run")["recommendation"]
    assert found | {"why": ""} == alone | {"why": ""}
    assert found["why"].startswith("Partial fine-tuning failed. Of the other three regimes, ")


@pytest.mark.parametrize("baseline", [True, False])
def test_if_everything_failed_every_reason_is_in_the_error(write, tmp_path, baseline):
    folders = [write.failure(name, reason=f"{name} is\nbroken \x1b[31m", cause="crash") for name in REGIMES]
    folders += [write.evaluation(FLOOR)] * baseline
    with pytest.raises(UserError, match=r"^every training failed, so there is nothing to compare\. ") as raised:
        compare(folders, write.summary(), tmp_path / "out")
    for name, title in (("custom_cnn", "Custom CNN"), ("full_fine_tuning", "Full fine-tuning")):
        assert f"{title} (crash): {name} is broken \\x1b[31m" in str(raised.value)
    assert str(raised.value).count("is broken") == 4
    assert not (tmp_path / "out").exists()


def test_a_regime_that_is_both_evaluated_and_failed_is_an_error(write):
    folders = [write.evaluation("custom_cnn"), write.failure("custom_cnn"), write.evaluation("full_fine_tuning")]
    with pytest.raises(UserError, match=r"custom_cnn is both evaluated \(in .*-0\) and failed \(in .*-failed\)"):
        inputs.load(folders, write.summary())


def test_a_folder_that_has_both_is_an_error(write):
    folder = write.evaluation("custom_cnn")
    failure = write_failure(folder.parent / "other", "full_fine_tuning")
    (folder / "failed.json").write_text((failure / "failed.json").read_text())
    with pytest.raises(UserError, match="full_fine_tuning is both evaluated"):
        inputs.load([folder, write.evaluation("transfer_learning")], write.summary())


def test_two_failures_of_one_regime_are_an_error(write):
    folders = [write.failure("custom_cnn", "one"), write.failure("custom_cnn", "two")]
    with pytest.raises(UserError, match="both say that custom_cnn failed"):
        inputs.load([*folders, write.evaluation("full_fine_tuning")], write.summary())


@pytest.mark.usefixtures("no_plots")
def test_the_command_line_prints_why_a_regime_is_missing(write, tmp_path, capsys):
    folders = [write.evaluation("custom_cnn"), write.failure("full_fine_tuning", reason="no weights file x")]
    main([*map(str, folders), "--dataset", str(write.summary()), "--output", str(tmp_path / "out")])
    printed = capsys.readouterr().out
    assert "Full fine-tuning  failed: out of memory, after 3 min 5 s\n" in printed
    assert "Reason: no weights file x. The results are of the other regime alone; nothing follows" in printed
    assert json.loads((tmp_path / "out" / "results.json").read_text())["failed"].keys() == {"full_fine_tuning"}


def test_two_runs_are_compared_without_what_failed_in_one(make_run):
    a, b = runs.load_two(make_run("a", failed=["transfer_learning"]), make_run("b", failed=["partial_fine_tuning"]))
    assert [own["regime"] for own in a.inputs.failures] == ["transfer_learning"]
    found = run_differences.build(a, b, runs.shared_regimes(a, b), paired=True)
    assert [list(run["failed"]) for run in found["runs"]] == [["transfer_learning"], ["partial_fine_tuning"]]
    assert {pair["a"] for pair in found["comparisons"]} == {"custom_cnn", "full_fine_tuning"}
    whole = run_differences.build(a, runs.load(make_run("c")), ["custom_cnn"], paired=True)
    assert ["failed" in run for run in whole["runs"]] == [True, False]


def test_runs_that_share_no_regime_because_it_failed_say_so(make_run):
    a, b = make_run("a", ["custom_cnn"], failed=["full_fine_tuning"]), make_run("b", ["full_fine_tuning"])
    with pytest.raises(UserError, match=r"no regime in common \(full_fine_tuning failed in a\)"):
        runs.shared_regimes(*runs.load_two(a, b))


def test_a_run_in_which_everything_failed_gives_the_reasons(make_run):
    with pytest.raises(UserError, match=r"every training failed.*Custom CNN .*<b>no</b> .*weights. of custom_cnn"):
        runs.load(make_run("a", [], failed=["custom_cnn"]))
