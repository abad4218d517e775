"""Pre-trained weights on their way into the train image."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import keras
import pytest
from keras.src.legacy.saving import legacy_h5_format

from images.fetch_weights import SIZES

SCRIPT = Path(__file__).parents[2] / "images" / "fetch_weights.py"
NAME = "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_{size}_no_top.h5"
pytestmark = pytest.mark.slow


def fetch(folder, *backbones):
    """Runs the script where no download can succeed."""
    nowhere = {"https_proxy": "http://127.0.0.1:1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, str(SCRIPT), str(folder), *backbones]
    return subprocess.run(command, env=os.environ | nowhere, capture_output=True, text=True, check=False)


def test_files_that_are_there_are_taken_and_nothing_is_downloaded(tmp_path):
    model = keras.applications.MobileNetV2(weights=None, include_top=False, input_shape=(96, 96, 3))
    first = tmp_path / NAME.format(size=96)
    with h5py.File(first, "w") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, model)
    for size in SIZES["MobileNetV2"][1:]:
        shutil.copyfile(first, tmp_path / NAME.format(size=size))
    before = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    done = fetch(tmp_path, "MobileNetV2")
    assert done.returncode == 0, done.stderr
    assert "cannot be downloaded" not in done.stdout
    assert f"5 files of pre-trained weights in {tmp_path}" in done.stdout
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before


def test_without_a_network_the_image_is_built_without_them_and_one_line_says_so(tmp_path):
    done = fetch(tmp_path, "MobileNetV2", "ResNet50")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("cannot be downloaded") == 1
    assert "The ImageNet weights of MobileNetV2 cannot be downloaded" in done.stdout
    assert f"0 files of pre-trained weights in {tmp_path}" in done.stdout
    assert not list(tmp_path.iterdir())
