"""What `submit` lets Kubeflow take from its cache: ingest of a source that cannot change, and of no other."""

import pytest

from pipelines.submit import command as submit
from tests.pipelines.kubeflow_server import KubeflowServer


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Compiles and starts a run; gives the graph that was uploaded, its parameters and those that were sent."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("KUBECONFIG", "KF_PIPELINES_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)

    def call(*words, command=("run",)):
        with KubeflowServer() as server:
            assert submit.main([*command, "--host", server.url, *words]) == 0
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


def test_so_it_is_of_a_schedule(run):
    monday = ("schedule", "--cron", "0 3 * * 1")
    assert run(command=monday)[0]["ingest"]["cachingOptions"] == {"enableCache": True}
    changing = ("--set", "source=s3://bucket/x")
    assert run(*changing, command=monday)[0]["ingest"]["cachingOptions"] == {}


def test_a_source_that_changes_can_be_declared_constant(run):
    tasks, parameters, sent = run("--cache-ingest", "--set", "source=s3://bucket/x")
    assert tasks["ingest"]["cachingOptions"] == {"enableCache": True}
    assert "source" in parameters
    assert sent == {"source": "s3://bucket/x"}
