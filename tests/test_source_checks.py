"""Which URLs are allowed, and what of them is shown."""

import pytest

from components.console import UserError
from components.source_checks import check_url, shown_url


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("http://example.org/x.zip", "is not encrypted.*set the environment variable PNEUMONIA_BENCHMARK_ALLOW_HTTP=1"),
        ("ftp://example.org/x.zip", "is not an https URL"),
        ("file:///etc/passwd", "is not an https URL"),
        ("https:///x", "is not an https URL"),
        ("https://[x", "is not a URL"),
        ("https://me:secret@example.org/x", "the URL of example.org holds a user or password"),
    ],
)
def test_a_url_that_is_not_safe_is_refused_before_anything_is_asked(url, message):
    with pytest.raises(UserError, match=message) as raised:
        check_url(url)
    assert "secret" not in str(raised.value)


def test_http_is_for_this_machine_or_where_it_is_allowed(monkeypatch):
    check_url("http://localhost:9000/x")
    check_url("https://example.org/x")
    check_url("http://example.org/x", allow_http=True)
    monkeypatch.setenv("PNEUMONIA_BENCHMARK_ALLOW_HTTP", "1")
    check_url("http://example.org/x")


def test_what_is_shown_of_a_url_holds_no_secrets():
    assert shown_url("https://me:pw@example.org:8/a/b.zip?token=secret#x") == "https://example.org:8/a/b.zip"
    assert shown_url("synthetic") == "synthetic"
