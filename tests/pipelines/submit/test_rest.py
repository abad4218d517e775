"""Requests have timeouts, reads are repeated, and errors are one sentence."""

import datetime
import re

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from pipelines.submit import rest
from tests.pipelines.kubeflow_server import KubeflowServer

pytestmark = pytest.mark.usefixtures("own_environment")


def test_reads_are_tried_again_when_the_server_is_briefly_out_of_order(server, say):
    server.fail("GET", "/healthz", 500, times=2)
    server.fail("GET", "/pipelines$", "reset")
    server.fail("GET", "/experiments$", 503)
    said = say("run")
    assert said.code == 0
    assert said.out.count("trying again") == 4
    assert len(server.runs) == 1


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (401, "does not accept the credentials (401): give --existing-token-file FILE or set KF_PIPELINES_TOKEN"),
        (403, "does not allow this (403: told to fail with 403): ask for access or check --namespace"),
        (404, "answers, but not as Kubeflow Pipelines 2 does (404): check --host"),
        (400, "refuses this (400: told to fail with 400)"),
        (500, "answers with an error (500: told to fail with 500): try again later"),
        ("login", "answers with a web page, not as Kubeflow Pipelines' API does: check the host"),
        ("reset", "does not answer"),
    ],
)
def test_trouble_with_the_server_is_one_sentence(server, say, kind, message):
    server.fail("GET", "/healthz", kind, times=1000)
    said = say("list")
    assert said.code == 2
    assert message in said.err
    assert server.url in said.err
    assert len(said.err.splitlines()) == 1


def test_a_server_that_says_nothing_is_not_waited_for_for_ever(server, say, monkeypatch):
    monkeypatch.setattr(rest, "RETRIES", 1)
    server.fail("GET", "/healthz", "silence", times=1000)
    said = say("list", "--answer-seconds", "0.05")
    assert said.code == 2
    assert re.search(r"does not answer \(.*timed out.*\): check the host", said.err)
    assert len(server.requests) == 2


def test_a_port_where_nothing_listens_is_named(say):
    said = say("list", host="http://localhost:1")
    assert said.code == 2
    assert "http://localhost:1 does not answer ([Errno 111] Connection refused)" in said.err


def test_https_to_a_server_without_it_is_explained(server, say):
    said = say("list", host=server.url.replace("http://", ""))
    assert said.code == 2
    assert "no secure connection to https://localhost" in said.err
    assert "if it speaks plain HTTP, write http:// before the host" in said.err


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """Files of a self-signed certificate for localhost and of its key."""
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "key.pem").write_bytes(key.private_bytes(*private))
    return str(folder / "cert.pem"), str(folder / "key.pem")


def test_a_certificate_of_an_own_authority_needs_that_authority(certificate, say):
    with KubeflowServer(certificate=certificate) as secure:
        refused = say("list", host=secure.url)
        assert refused.code == 2
        assert "no secure connection" in refused.err
        assert "give --ssl-ca-cert FILE" in refused.err
        assert "trying again" not in refused.out
        assert secure.requests == []
        assert say("list", "--ssl-ca-cert", certificate[0], host=secure.url).code == 0
        assert say("list", "--no-verify-ssl", host=secure.url).code == 0
