"""Runs in this process are not recorded, which takes seconds; nor are those of `helpers.run`, but where it is meant."""

import pytest

from pipelines.local import recording


@pytest.fixture(autouse=True)
def not_recorded(monkeypatch, request):
    """Gives the runs that would have been recorded, each with its options."""
    asked = []
    if "recording_for_real" not in request.fixturenames:

        def record(folder, options, _):
            asked.append((folder, dict(options)))
            return recording.Outcome()

        monkeypatch.setattr(recording, "record", record)
    return asked


@pytest.fixture
def recording_for_real():
    """For tests of the recording itself."""
