"""A prepared dataset of little pictures that a network can tell apart: pneumonia has stripes."""

import numpy as np
import pandas as pd
import pytest

from components.artifacts import files, prepared_dataset
from components.train import device

SIZE = 32

# TensorFlow's threads are set before its first operation, in whichever test that is.
device.set_up()


def draw(labels, seed, size=SIZE):
    random = np.random.default_rng(seed)
    images = random.normal(100, 12, (len(labels), size, size))
    images[labels == 1, ::3] += 60
    return images.clip(0, 255).astype(np.uint8)


def write_prepared(folder, counts=(("train", 96), ("validation", 40), ("test", 40)), size=SIZE):
    with files.new_folder(folder) as new:
        splits = {}
        for seed, (name, count) in enumerate(counts):
            labels = np.arange(count) % 2
            np.save(new / f"{name}.npy", draw(labels, seed, size))
            names = [f"{name}/{i}.png" for i in range(count)]
            prepared_dataset.save_index(new, name, pd.DataFrame({"image": names, "label": labels, "patient": names}))
            splits[name] = {"images": count, "patients": count, "pneumonia": int(labels.sum())}
        info = files.header(prepared_dataset.KIND, files.now(), {}) | {
            "source": {"name": "test", "description": "stripes"},
            "image_size": size,
            "resize": "none",
            "split_rule": "none",
            "splits": splits,
            "fingerprint": prepared_dataset.fingerprint(new),
            "quality": {},
        }
        files.write_json(new / "dataset.json", info)
    return folder


@pytest.fixture(scope="session")
def prepared(tmp_path_factory):
    return write_prepared(tmp_path_factory.mktemp("data") / "prepared")
