"""The client finds the server of the kubeconfig or of the cluster that it runs in, and checks that it is one."""

import socket
import warnings

import kubernetes
import pytest

from pipelines.submit import command
from tests.pipelines.submit.helpers import only

pytestmark = pytest.mark.usefixtures("own_environment")


def test_without_a_host_the_kubeconfigs_cluster_is_asked(server, yaml_file, tmp_path, capsys):
    (tmp_path / ".kube").mkdir()
    (tmp_path / ".kube" / "config").write_text(f"""
        apiVersion: v1
        kind: Config
        current-context: here
        contexts: [{{name: here, context: {{cluster: c, user: u}}}}]
        clusters: [{{name: c, cluster: {{server: "{server.url}"}}}}]
        users: [{{name: u, user: {{token: of-user}}}}]""")
    assert command.main(["run", "--yaml", str(yaml_file)]) == 0
    page = f"link: /pipeline/#/runs/details/{only(server.runs)['run_id']} (--ui-host URL gives the whole link)"
    assert page in capsys.readouterr().out
    assert set(server.authorizations) == {"Bearer of-user"}
    with pytest.raises(SystemExit) as stopped:
        command.main(["list", "--kube-context", "elsewhere"])
    assert stopped.value.code == 2
    captured = capsys.readouterr()
    assert "the kubeconfig names no cluster that can be used: give --host URL or --kube-context NAME" in captured.err
    assert captured.out == ""


def test_in_a_cluster_without_a_host_the_service_of_kubeflow_pipelines_is_asked(server, monkeypatch, tmp_path, capsys):
    asked, real = [], socket.getaddrinfo

    def resolve(host, port, *others):
        asked.append((host, port))
        return real("127.0.0.1", int(server.url.rpartition(":")[2]), *others)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    monkeypatch.setattr(kubernetes.client.Configuration, "_default", None)
    for name in ("SERVICE_TOKEN_FILENAME", "SERVICE_CERT_FILENAME"):
        (tmp_path / name).write_text("content")
        monkeypatch.setattr(kubernetes.config.incluster_config, name, str(tmp_path / name))
    with warnings.catch_warnings(action="error"):
        assert command.main(["list"]) == 0
    assert "has no schedules here" in capsys.readouterr().out
    assert set(asked) == {("ml-pipeline.kubeflow.svc.cluster.local", 8888)}
    assert server.requests[0] == "GET /apis/v2beta1/healthz"
