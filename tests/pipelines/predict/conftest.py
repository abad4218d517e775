"""A run with trained models, and its test images."""

import shutil
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from components.evaluate.evaluate import evaluate
from components.inference import gradcam
from components.parameters import EvaluateParameters
from tests.evaluate.test_evaluate import write_model
from tests.train.conftest import SIZE, write_prepared


@pytest.fixture(scope="session")
def run(tmp_path_factory):
    """A run of two trainings, of which the second is better on test and worse on validation; and its test images."""
    folder = tmp_path_factory.mktemp("runs") / "1"
    data = write_prepared(folder / "steps" / "1" / "preprocess" / "prepared_dataset")
    worse = write_prepared(folder.parent / "worse")
    np.save(worse / "validation.npy", np.random.default_rng(0).integers(0, 256, (40, SIZE, SIZE), np.uint8))
    for seed, dataset in ((1, data), (2, worse)):
        step = folder / "steps" / "1" / f"iteration-{seed}"
        model = write_model(step / "train" / "model", seeds=(seed,))
        evaluate(dataset, model, step / "evaluate" / "evaluation" / "custom_cnn", EvaluateParameters())
    for number, pixels in enumerate(np.load(data / "test.npy")):
        (folder.parent / "films" / "test").mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(folder.parent / "films" / "test" / f"{number}.png")
    return folder


@pytest.fixture
def films(run):
    return run.parent / "films"


@pytest.fixture
def damaged(run, tmp_path):
    """A copy of the run, to damage the first training of, and that training's folder."""
    shutil.copytree(run, tmp_path / "damaged")
    return tmp_path / "damaged", tmp_path / "damaged" / "steps" / "1" / "iteration-1"


@pytest.fixture
def painted(monkeypatch):
    """Heat in the upper right corner of every image; gives the numbers of images asked for at once."""
    asked = []

    def heat(images):
        asked.append(len(images))
        found = np.zeros((len(images), 4, 4), np.float32)
        found[:, 0, 3] = 0.25
        return found

    monkeypatch.setattr(gradcam, "take_apart", lambda _: SimpleNamespace(heat=heat))
    return asked
