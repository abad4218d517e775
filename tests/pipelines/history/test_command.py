"""The command lists runs, shows one, and makes one the champion."""

import json
import re
import shlex

import pytest

from pipelines.history import command
from tests.record.conftest import *  # noqa: F403 (its fixtures)
from tests.record.conftest import write_run

pytestmark = pytest.mark.medium


@pytest.fixture
def say(capsys):
    """Says a command; gives exit code, output and errors."""

    def call(*words):
        code = 0
        try:
            command.main([*map(str, words)])
        except SystemExit as ended:
            code = ended.code
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        return code, said.out, said.err

    return call


@pytest.fixture
def three(recorded, made, later, tmp_path):
    """Two runs on the same data, and one on other data in which a training failed."""
    other = write_run(
        tmp_path / "other", "20260214-120000", seeds=(1,), failed=["full_fine_tuning"], fingerprint="cd34" * 16
    )
    for run in (later, other, made):
        recorded.record(run)
    return recorded


def test_runs_are_listed_with_roc_auc_time_data_and_champion(three, say):
    code, out, err = say("--tracking-uri", three.uri)
    assert (code, err) == (0, "")
    header, *lines = out.partition("\n\n")[0].splitlines()
    words = ["started", "run", "custom", "CNN", "transfer", "partial", "full", "training", "dataset", "alarms"]
    assert header.split() == words
    by_name = {re.search(r"\d{8}-\d{6}", line).group(): line for line in lines}
    assert by_name["20260207-120000"].startswith("* "), "it was recorded first"
    assert by_name["20260131-120000"].startswith("  ")
    assert by_name["20260214-120000"].startswith("F ")
    area = next(run for run in three.history.runs() if run.name == "20260131-120000").metrics["custom_cnn"]["roc_auc"]
    words = by_name["20260131-120000"].split()
    assert words[3:7] == [f"{area.value:.4f}", words[4], "-", "-"]
    assert words[7:] == ["24", "s", "ab12ab12ab12"], "9.4 and 14.8 seconds"
    assert by_name["20260214-120000"].endswith("cd34cd34cd34")


def test_list_is_the_default_and_options_may_stand_on_either_side(three, say):
    assert say("--tracking-uri", three.uri) == say("list", "--tracking-uri", three.uri)
    assert say("--tracking-uri", three.uri, "--json", "list") == say("list", "--json", "--tracking-uri", three.uri)


def test_other_programs_get_json(three, say):
    _, out, _ = say("--tracking-uri", three.uri, "--json")
    found = {run["name"]: run for run in json.loads(out)}
    assert {name: run["champion"] for name, run in found.items()} == {
        "20260131-120000": False,
        "20260207-120000": True,
        "20260214-120000": False,
    }
    metric = found["20260131-120000"]["metrics"]["custom_cnn"]["roc_auc"]
    assert metric["ci95"][0] < metric["value"] < metric["ci95"][1]
    assert found["20260214-120000"]["failed"] == {"full_fine_tuning": "use a smaller --batch-size"}


def test_a_run_is_shown_by_name_or_id_with_its_models(three, say):
    code, out, _ = say("show", "20260131-120000", "--tracking-uri", three.uri)
    assert code == 0
    run = next(run for run in three.history.runs() if run.name == "20260131-120000")
    assert say("show", run.id, "--tracking-uri", three.uri) == (0, out, "")
    low, high = run.metrics["custom_cnn"]["roc_auc"].low, run.metrics["custom_cnn"]["roc_auc"].high
    assert f"({low:.4f}–{high:.4f})" in out
    for seed in (1, 2, 3):
        assert f"Transfer learning, seed {seed}" in out
    assert "no GPU, 2 cores, A processor" in out
    assert "champion    no" in out
    _, out, _ = say("show", run.id, "--json", "--tracking-uri", three.uri)
    assert len(json.loads(out)["models"]) == 7


def test_a_promoted_run_is_the_champion_of_its_data_alone(three, say):
    code, out, _ = say("promote", "20260131-120000", "--tracking-uri", three.uri)
    assert code == 0
    assert (
        "20260131-120000 is the champion of its dataset (fingerprint ab12ab12ab12) in place of 20260207-120000" in out
    )
    runs = {run.name: run for run in three.history.runs()}
    assert three.history.champion("ab12" * 16).name == "20260131-120000"
    assert three.history.champion("cd34" * 16) is None
    assert "until another was promoted" in say("show", "20260207-120000", "--tracking-uri", three.uri)[1]
    _, out, _ = say("promote", runs["20260207-120000"].id, "--json", "--tracking-uri", three.uri)
    assert json.loads(out) == {"champion": runs["20260207-120000"].id, "before": runs["20260131-120000"].id}


def test_alarms_are_marked_in_the_list_and_in_json(three, say):
    ids = {run.name: run.id for run in three.history.runs()}
    three.client.set_tag(ids["20260131-120000"], "pneumonia_benchmark.alarms", '[["time", "custom_cnn"], ["data", ""]]')
    for name, pairs in (("alarms", "[]"), ("suspected", '[["quality", "full_fine_tuning"]]')):
        three.client.set_tag(ids["20260214-120000"], f"pneumonia_benchmark.{name}", pairs)
    lines = say("--tracking-uri", three.uri)[1].splitlines()
    by_name = {found.group(): line for line in lines if (found := re.search(r"\d{8}-\d{6}", line))}
    assert by_name["20260131-120000"].startswith("! ")
    assert by_name["20260131-120000"].endswith("data, time custom CNN")
    assert by_name["20260214-120000"].startswith("F? ")
    assert by_name["20260214-120000"].endswith("quality full?")
    found = {run["name"]: run for run in json.loads(say("--tracking-uri", three.uri, "--json")[1])}
    assert found["20260131-120000"]["alarms"] == [["data", ""], ["time", "custom_cnn"]]
    assert found["20260214-120000"]["alarms"] == []
    assert found["20260214-120000"]["suspected"] == [["quality", "full_fine_tuning"]]


def test_what_the_gate_found_is_shown(three, say):
    out = say("show", "20260131-120000", "--tracking-uri", three.uri)[1]
    assert re.search(r"^compared with +20260207-120000$", out, re.MULTILINE)
    assert re.search(r"^warning +Custom CNN: not shown to be less than 0.01 below the champion", out, re.MULTILINE)
    first = say("show", "20260207-120000", "--tracking-uri", three.uri)[1]
    assert re.search(r"^compared with +no run: the first one on its data$", first, re.MULTILINE)
    content = json.loads(say("show", "20260131-120000", "--json", "--tracking-uri", three.uri)[1])
    assert content["verdict"]["champion_name"] == "20260207-120000"
    assert set(content["verdict"]["quality"]) == {"custom_cnn", "transfer_learning"}


def test_who_promotes_a_run_accepts_its_costs(three, say):
    out = say("promote", "20260131-120000", "--tracking-uri", three.uri)[1]
    assert "its training times and memory are accepted" in out
    accepted = [run.name for run in three.history.runs() if "pneumonia_benchmark.accepted" in run.tags]
    assert accepted == ["20260131-120000"], "the gate promotes without accepting"


def test_mistakes_are_one_line(three, say, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for words, message in (
        (
            ["show", "nothing", "--tracking-uri", three.uri],
            "has no run nothing: python -m pipelines.history lists them",
        ),
        ([], f"there is no history {tmp_path}/runs2/mlflow.db yet"),
        (["--tracking-uri", "mlruns"], "MLflow has retired the folder store"),
        (["promote", "x", "--tracking-uri", "https://u:geheim@host"], "holds a user, a password or a token"),
    ):
        code, out, err = say("--output", "runs2", *words)
        assert (code, out) == (2, "")
        assert message in err
        assert err.count("\n") == 1
        assert "geheim" not in err


def test_two_runs_of_one_name_are_told_apart_by_their_ids(recorded, tmp_path, say):
    from components.record.content import Origin  # noqa: PLC0415

    ids = [recorded.record(write_run(tmp_path / name, seeds=(1,), origin=Origin(name))) for name in ("a", "b")]
    code, _, err = say("show", "20260131-120000", "--tracking-uri", recorded.uri)
    assert code == 2
    assert all(one in err for one in ids)
    assert say("promote", ids[0], "--tracking-uri", recorded.uri)[0] == 0


def test_an_empty_history_says_so(recorded, say):
    assert say("--tracking-uri", recorded.uri) == (0, "no run is recorded\n", "")


def test_the_examples_in_the_help_are_valid_commands(capsys):
    with pytest.raises(SystemExit):
        command.main(["--help"])
    examples = re.findall(r"python -m pipelines\.history ?(.*)", capsys.readouterr().out.partition("examples:")[2])
    assert len(examples) == 5
    for example in examples:
        command._parser().parse_args(shlex.split(example))
