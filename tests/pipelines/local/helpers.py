"""Runs the pipeline in a process of its own, and checks what it leaves."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from components.artifacts.evaluation import METRICS

PROJECT = Path(__file__).parents[3]


def run(*words, cwd=PROJECT, record=False, **variables):
    """Runs the pipeline; it is recorded only if asked for. A run that is continued does as it did before."""
    environment = os.environ | {"PYTHONPATH": str(PROJECT)} | variables
    further = [] if record or "--resume" in words else ["--no-record"]
    command = [sys.executable, "-m", "pipelines.local", *map(str, words), *further]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=environment, check=False)


def write_images(folder, classes=("NORMAL", "PNEUMONIA"), count=6):
    random = np.random.default_rng(0)
    for label in classes:
        (folder / label).mkdir(parents=True)
        for i in range(count):
            Image.fromarray(random.integers(0, 255, (40, 40), np.uint8)).save(folder / label / f"{i}.png")
    return folder


def check_results(folder, regimes, seeds=(1,)):
    results = json.loads((folder / "comparison" / "results.json").read_text())
    assert list(results["regimes"]) == list(regimes)
    assert results["run"]["seeds"] == list(seeds)
    for regime in results["regimes"].values():
        assert set(regime["metrics"]) == set(METRICS)
        for metric in regime["metrics"].values():
            low, high = metric["ci95"]
            assert low <= metric["value"] <= high or metric["value"] == pytest.approx(low, abs=0.02)
        assert regime["cost"]["train_seconds"] > 0
        assert regime["cost"]["peak_memory_mb"] > 0
    names = {path.name for path in (folder / "comparison").iterdir()}
    assert {"report.html", "summary.md", "results.json", "results.csv"} < names
    return results
