"""What alarms of the gate do to the commands for a cluster: exit code 4, one confirming run, the runs of a schedule."""

import json

import pytest
import yaml

from compile import main as compile_pipeline
from pipelines.submit import command, waiting
from tests.pipelines.submit.helpers import only
from tests.pipelines.submit.workflow import ERROR, ROOT, lines, node, pod_of, pods, scene, task

pytestmark = pytest.mark.usefixtures("own_environment")

RECORDED = ["record", "check"]
NODES = (
    *ROOT[:3],
    task("root(0)", "RUNNING", children=[node(f"wf(0).root(0).{name}") for name in RECORDED]),
)
QUALITY = "Full fine-tuning: ROC AUC 0.9, the champion's 0.99"
TIME = "Custom CNN: 30% more training time than expected"
SUSPECTED = f"pneumonia-benchmark: record: suspected, and not confirmed yet: {QUALITY}\n"


@pytest.fixture(scope="session")
def recording(tmp_path_factory):
    """The YAML of a pipeline with the task Record."""
    folder = tmp_path_factory.mktemp("recording")
    compile_pipeline(["--tracking-uri", "https://mlflow.example.org", "--output", str(folder)])
    return folder / "pneumonia_benchmark.yaml"


@pytest.fixture
def wait(server, say, recording):
    def call(*scenes, log="", check=""):
        server.script = list(scenes)
        server.logs = {pod_of("record"): log, pod_of("check"): check}
        return say("run", "--wait", "--yaml", recording)

    return call


def ended(state, record, *more):
    return scene(state, *NODES, *pods("record", record, state=record), *more)


def test_each_alarm_is_a_line_and_the_exit_code_is_4(wait):
    log = f"launcher\n{ERROR}regression: {QUALITY}\n{ERROR}regression: {TIME}\nF1 main.go:59] exit status 4\n"
    said = wait(ended("FAILED", "FAILED"), log=log)
    assert said.code == 4
    assert said.err.splitlines() == [
        f"{ERROR}Record: regression: {QUALITY}",
        f"{ERROR}Record: regression: {TIME}",
        f"{ERROR}the run ended as failed",
    ]
    assert "Record: failed" in lines(said)


def test_another_failure_of_record_is_no_alarm(wait):
    said = wait(ended("FAILED", "FAILED"), log=f"{ERROR}the history https://mlflow does not answer\n")
    assert said.code == 1
    assert said.err.startswith(f"{ERROR}Record: the history https://mlflow does not answer\n")


def test_the_same_words_in_the_log_of_another_task_are_no_alarm(wait):
    failed = scene("FAILED", *NODES, *pods("check", "FAILED", state="FAILED"))
    assert wait(failed, check=f"{ERROR}regression: something else\n").code == 1


def test_beside_a_regime_that_was_not_trained_an_alarm_counts(wait):
    failed = ended("FAILED", "FAILED", *pods("check", "FAILED", state="FAILED"))
    said = wait(failed, log=f"{ERROR}regression: {QUALITY}\n", check=f"{ERROR}1 of 4 regimes could not be trained\n")
    assert said.code == 4
    assert f"{ERROR}Check: 1 of 4 regimes could not be trained" in said.err


def test_a_suspicion_starts_one_run_with_other_seeds_and_never_another(wait, server):
    said = wait(ended("SUCCEEDED", "SUCCEEDED"), log=SUSPECTED)
    assert said.code == 0
    first, second = server.runs.values()
    assert second["display_name"] == f"{first['display_name']} (confirming)"
    assert second["runtime_config"]["parameters"]["seed"] == 4, "the first run had the seeds 1, 2 and 3"
    assert first["pipeline_version_reference"] == second["pipeline_version_reference"]
    assert f"submit: suspected: {QUALITY}\n" in said.out
    assert said.out.count("link: ") == 2


def test_a_suspicion_beside_an_alarm_starts_a_run_too(wait, server):
    said = wait(ended("FAILED", "FAILED"), log=f"{SUSPECTED}{ERROR}regression: {TIME}\n")
    assert (said.code, len(server.runs)) == (4, 2)


@pytest.mark.parametrize("codes", [(4, 0, 4), (4, 1, 4), (1, 4, 4), (0, 1, 1), (1, 0, 1), (0, 0, 0)])
def test_an_alarm_of_either_run_is_the_exit_code(say, recording, monkeypatch, codes):
    *left, code = codes
    monkeypatch.setattr(waiting, "wait", lambda *_: left.pop(0))
    monkeypatch.setattr(waiting, "suspicions", lambda *_: [QUALITY])
    assert say("run", "--wait", "--yaml", recording).code == code
    assert left == []


def test_a_run_without_a_suspicion_starts_no_other(wait, server):
    assert wait(ended("SUCCEEDED", "SUCCEEDED"), log=f"pneumonia-benchmark: record: {QUALITY}\n").code == 0
    only(server.runs)


def test_seeds_that_are_given_are_passed_over(server, say, recording):
    server.script, server.logs = [ended("SUCCEEDED", "SUCCEEDED")], {pod_of("record"): SUSPECTED}
    say("run", "--wait", "--yaml", recording, "--set", "seed=7", "--set", "seeds=5")
    _, second = server.runs.values()
    assert second["runtime_config"]["parameters"]["seed"] == 12


@pytest.mark.parametrize(
    ("words", "number"),
    [(["0 3 * * *"], 365.25), (["0 3 * * *", "--runs-per-year", "12"], 12.0), (["0 3 * * 1"], 52.0)],
)
def test_a_schedule_says_how_many_runs_a_year_has(server, words, number):
    code = command.main(
        ["schedule", "--host", server.url, "--tracking-uri", "https://mlflow.example.org", "--cron", *words]
    )
    assert code == 0
    spec = only(server.versions)["pipeline_spec"]
    spec = spec if isinstance(spec, dict) else yaml.safe_load(spec)
    inputs = json.loads(json.dumps(spec))["root"]["dag"]["tasks"]["record"]["inputs"]["parameters"]
    assert inputs["runs_per_year"]["runtimeValue"]["constant"] == number
