"""The pipeline is compiled as the options say, ingest may come from the cache, and a dry run needs no server."""

import pytest

from pipelines.submit import command
from tests.pipelines.kubeflow_server import KubeflowServer
from tests.pipelines.submit.helpers import MONDAY, only

pytestmark = pytest.mark.usefixtures("own_environment")


def test_without_cache_another_version_runs_whose_tasks_are_not_cached(server, say):
    say("run")
    say("run", "--no-cache")
    cached, uncached = (version["pipeline_spec"]["root"]["dag"]["tasks"] for version in server.versions.values())
    assert cached["preprocess"]["cachingOptions"] == {"enableCache": True}
    assert uncached["preprocess"]["cachingOptions"] == {}


def test_without_a_yaml_the_pipeline_is_compiled_with_the_images_that_are_named(server, capsys):
    words = ["--registry", "ghcr.io/me", "--tag", "7", "--gpus", "0"]
    assert command.main(["run", "--host", server.url, *words]) == 0
    executors = only(server.versions)["pipeline_spec"]["deploymentSpec"]["executors"].values()
    images = {executor["container"]["image"] for executor in executors}
    assert images == {"ghcr.io/me/pneumonia-benchmark-data:7", "ghcr.io/me/pneumonia-benchmark-train:7"}
    capsys.readouterr()


@pytest.mark.parametrize("words", [("list",), ("pause",), ("resume",), ("delete", "--wait"), MONDAY])
def test_a_dry_run_of_every_command_ends_where_the_server_does_not_answer(say, words):
    said = say(*words, "--dry-run", host="http://localhost:1")
    assert said.code == 0
    assert "does not answer" in said.out
    assert "what the server holds, and what would be done, is therefore unknown" in said.out
    assert said.err == ""


def test_a_dry_run_needs_no_server(say):
    said = say("run", "--dry-run", "--set", "epochs=3", host="http://localhost:1")
    assert said.code == 0
    assert "version: pneumonia-benchmark-" in said.out
    assert "parameters: epochs=3" in said.out
    assert "dry run: http://localhost:1 does not answer" in said.out


def test_label_budgets_among_the_parameters_add_their_tasks(server, capsys, tmp_path):
    (tmp_path / "parameters.yaml").write_text("label_budgets: 30 60")
    for words in (["--set", "label_budgets=30 60"], ["--parameters", str(tmp_path / "parameters.yaml")]):
        assert command.main(["run", "--host", server.url, "--set", "draws=2", *words]) == 0
    root = only(server.versions)["pipeline_spec"]["root"]
    assert "train-budgets" in root["dag"]["tasks"]
    assert root["inputDefinitions"]["parameters"]["label_budgets"]["defaultValue"] == "50 100 200 400"
    sent = [run["runtime_config"]["parameters"] for run in server.runs.values()]
    assert sent == [{"label_budgets": "30 60", "draws": 2}] * 2
    capsys.readouterr()


def test_a_run_may_have_other_draws_than_were_compiled(server, capsys):
    assert command.main(["run", "--host", server.url, "--label-budgets", "--set", "draws=2"]) == 0
    capsys.readouterr()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--set", "label_budgets=30 60"], "compiled without label budgets: compile it with --label-budgets"),
        (["--set", "draws=2"], "--set draws= has no effect without label budgets: give --set label_budgets= too"),
    ],
)
def test_label_budgets_that_would_do_nothing_are_refused(say, words, message):
    said = say("run", *words)
    assert said.code == 2
    assert message in said.err


# The cache


@pytest.fixture
def run():
    """Compiles and starts a run; gives the graph that was uploaded, its parameters and those that were sent."""

    def call(*words, first=("run",)):
        with KubeflowServer() as server:
            assert command.main([*first, "--host", server.url, *words]) == 0
            ((version,), (started,)) = (
                list(kind.values()) for kind in (server.versions, server.runs or server.recurring_runs)
            )
        root = version["pipeline_spec"]["root"]
        return root["dag"]["tasks"], root["inputDefinitions"]["parameters"], started["runtime_config"]["parameters"]

    return call


def test_simulated_radiographs_may_come_from_the_cache_and_the_version_has_no_other_source(run):
    tasks, parameters, sent = run("--set", "epochs=3", "--set", "source=synthetic")
    assert tasks["ingest"]["cachingOptions"] == {"enableCache": True}
    assert "source" not in parameters
    assert sent == {"epochs": 3}


@pytest.mark.parametrize(
    "words",
    [
        ("--set", "source=directory", "--set", "path=/data/x"),
        ("--set", "source=https://example.org/x.zip"),
        ("--set", "source=gs://bucket/x"),
        ("--no-cache",),
    ],
)
def test_a_source_that_may_change_never_does(run, words):
    tasks, parameters, _ = run(*words)
    assert tasks["ingest"]["cachingOptions"] == {}
    assert "source" in parameters


@pytest.mark.medium
def test_so_it_is_of_a_schedule(run):
    assert run(first=MONDAY)[0]["ingest"]["cachingOptions"] == {"enableCache": True}
    changing = ("--set", "source=s3://bucket/x")
    assert run(*changing, first=MONDAY)[0]["ingest"]["cachingOptions"] == {}


def test_a_source_that_changes_can_be_declared_constant(run):
    tasks, parameters, sent = run("--cache-ingest", "--set", "source=s3://bucket/x")
    assert tasks["ingest"]["cachingOptions"] == {"enableCache": True}
    assert "source" in parameters
    assert sent == {"source": "s3://bucket/x"}
