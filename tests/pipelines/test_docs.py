"""What docs/kubeflow.md shows is run as it stands there, with other folders."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from compile import compile_all
from pipelines.settings import Settings

PROJECT = Path(__file__).parents[2]
TEXT = (PROJECT / "docs" / "kubeflow.md").read_text(encoding="utf-8")
BLOCKS = dict(re.findall(r"<!-- tested: (\w+) -->\n```\w+\n(.*?)```", TEXT, re.DOTALL))
COMPONENTS = ("ingest", "preprocess", "train", "evaluate", "compare")

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
    assert set(BLOCKS) == {"examples", "reuse", *COMPONENTS}


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
    assert list((folder / "try").glob("small-cnn-*/evaluate/evaluation/seed-1/predictions.csv"))
