"""MLflow takes more than a second to import: only what opens a history does, and it reports nothing to anybody."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.medium

PROJECT = Path(__file__).parents[2]


def run(code, **variables):
    environment = os.environ | variables
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=PROJECT, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.parametrize(
    "module",
    [
        "pipelines.local.command",
        "pipelines.submit.command",
        "pipelines.history.command",
        "pipelines.compiling",
        "components.compare.compare",
        "components.record.record",
    ],
)
def test_commands_and_steps_do_not_import_mlflow(module):
    code = f"import {module}, sys; print(sorted({{'mlflow', 'sqlalchemy', 'alembic'}} & set(sys.modules)))"
    assert run(code) == ["[]"]


def test_telemetry_is_off_and_no_git_is_needed(empty_database, tmp_path):
    code = (
        "import sys; from components.tracking import places, server; "
        f"server.reading(places.read('sqlite:///{empty_database}'), print); "
        "from mlflow.telemetry import get_telemetry_client; from mlflow.telemetry.utils import is_telemetry_disabled; "
        "print(is_telemetry_disabled(), get_telemetry_client())"
    )
    # In tests and continuous integration it would be off anyway.
    without = {name: "" for name in os.environ if name.startswith(("PYTEST_", "GITHUB_")) or name == "CI"}
    assert run(code, PATH=str(tmp_path), HOME=str(tmp_path), MLFLOW_DISABLE_TELEMETRY="", **without)[0] == "True"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_the_workspace_of_another_server_is_not_taken_over(empty_database):
    code = (
        "import os; from components.tracking import places, server; "
        f"server.reading(places.read('sqlite:///{empty_database}'), print); print(os.environ.get('MLFLOW_WORKSPACE'))"
    )
    assert run(code, MLFLOW_WORKSPACE="other", MLFLOW_TRACKING_URI="https://other") == ["None"]
    assert run(code, MLFLOW_WORKSPACE="mine", MLFLOW_TRACKING_URI=f"sqlite:///{empty_database}") == ["mine"]
