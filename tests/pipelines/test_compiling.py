"""The YAML files are complete: kfp loads them, and nothing is installed at run time."""

import subprocess
import sys
from pathlib import Path

import pytest
from kfp import components as kfp_components

from pipelines.compiling import COMPONENTS

PROJECT = Path(__file__).parents[2]


def test_nothing_is_installed_at_run_time(build_folder):
    files = sorted(build_folder.rglob("*.yaml"))
    assert len(files) == 1 + len(COMPONENTS)
    for file in files:
        assert "pip install" not in file.read_text()
        assert "pip3" not in file.read_text()


def test_kfp_loads_every_yaml_back(build_folder):
    files = build_folder.rglob("*.yaml")
    names = {path.stem: kfp_components.load_component_from_file(str(path)).name for path in files}
    assert names == {
        "pneumonia_benchmark": "pneumonia-benchmark",
        **{component.name: component.name for component in COMPONENTS},
    }


@pytest.mark.medium
def test_compiling_imports_no_tensorflow():
    code = "import sys, compile; sys.exit('tensorflow' in sys.modules or 'keras' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=PROJECT, check=False).returncode == 0
