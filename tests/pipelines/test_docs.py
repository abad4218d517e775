"""What docs/kubeflow.md shows is run as it stands there, with other folders."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from images.kind import fetch_report
from pipelines.compiling import compile_all
from pipelines.settings import Settings
from pipelines.submit import command
from tests.pipelines.kubeflow_server import KubeflowServer

PROJECT = Path(__file__).parents[2]
TEXT = (PROJECT / "docs" / "kubeflow.md").read_text(encoding="utf-8")
BLOCKS = dict(re.findall(r"<!-- tested: (\w+) -->\n```\w+\n(.*?)```", TEXT, re.DOTALL))
COMPONENTS = ("ingest", "preprocess", "train", "evaluate", "compare", "check", "record")

pytestmark = pytest.mark.slow


def run(folder, command, **options):
    environment = os.environ | {"PYTHONPATH": str(PROJECT), "TF_CPP_MIN_LOG_LEVEL": "2"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with the example artifacts."""
    made = tmp_path_factory.mktemp("docs")
    for line in BLOCKS["examples"].replace("/tmp/", f"{made}/").splitlines():
        run(made, [sys.executable, *line.split()[1:]])
    return made


def test_every_component_is_shown():
    assert set(BLOCKS) == {"first", "examples", "reuse", *COMPONENTS}


def test_the_five_commands_parse_and_what_would_write_says_what_it_would_do(tmp_path, capsys):
    make, forward_ui, run_, forward_store, fetch = BLOCKS["first"].splitlines()
    assert "images.build --gpu 1 --docker docker --registry ghcr.io/me --push" in " ".join(
        run(PROJECT, [*make.split(), "-n"]).split()
    )
    services = {words.split()[-3]: words.split()[-2] for words in (forward_ui, forward_store)}
    assert services == {"service/ml-pipeline-ui": "8080:80", "service/seaweedfs": "8081:9000"}
    with KubeflowServer() as server:
        words = run_.replace("http://localhost:8080", server.url).split()[3:]
        assert command.main([*words, "--dry-run"]) == 0
    assert "would have started the run" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="2"):  # there is no cluster
        fetch_report.main([*shlex.split(fetch)[3:], "--output", str(tmp_path)])
    assert "the object store's credentials cannot be read from the cluster" in capsys.readouterr().err


@pytest.mark.parametrize("name", COMPONENTS)
def test_a_component_runs_alone_as_shown(folder, name):
    (folder / f"{name}.py").write_text(BLOCKS[name].replace("/tmp/", f"{folder}/"))
    said = run(folder, [sys.executable, f"{name}.py"])
    assert "finished with status" in said
    assert "FAILURE" not in said


def test_components_from_yaml_files_make_another_pipeline(folder):
    compile_all(Settings(), folder / "build")
    own = """
from kfp import local

local.init(local.SubprocessRunner(use_venv=False), pipeline_root="try")
small_cnn(raw_dataset="example/raw", epochs=1)
"""
    (folder / "reuse.py").write_text(BLOCKS["reuse"].replace("image_size=128", "image_size=32") + own)
    assert "small-cnn" in run(folder, [sys.executable, "reuse.py"])
    assert list((folder / "try").glob("small-cnn-*/evaluate/evaluation/custom_cnn/seed-1/predictions.csv"))
