"""A prepared dataset of little pictures that a network can tell apart, and a backbone that trains in a second."""

import threading
import time

import keras
import numpy as np
import pandas as pd
import pytest

from components.artifacts import files, prepared_dataset
from components.artifacts.names import BACKBONES
from components.train import backbones, device, folding, networks
from components.train.backbones import Backbone, InputScaling
from components.train.checkpoint import Checkpoint
from components.train.recipe import Recipe

SIZE = 32
RECIPE = Recipe(epochs=1, batch_size=8, learning_rate=1e-3, patience=0)

# TensorFlow's threads are set before its first operation, in whichever test that is.
device.set_up()


def draw(labels, seed, size=SIZE):
    """Noise; pneumonia has stripes."""
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


def small_backbone(name="MobileNetV2", weights="none", image_size=SIZE):
    """A backbone of ten layers that has what the real ones have: batch normalisation and a skip connection."""
    layers = keras.layers
    image = keras.Input((image_size, image_size, 3))
    x = layers.Conv2D(6, 3, strides=2, padding="same", use_bias=False, name="stem")(image)
    x = layers.BatchNormalization(name="stem_norm")(x)
    x = layers.ReLU(name="stem_relu")(x)
    y = layers.DepthwiseConv2D(3, padding="same", use_bias=False, name="inner")(x)
    y = layers.BatchNormalization(name="inner_norm")(y)
    x = layers.Add(name="add")([x, y])
    x = layers.Conv2D(8, 1, use_bias=False, name="last")(x)
    x = layers.BatchNormalization(name="last_norm")(x)
    model = keras.Model(image, layers.ReLU(name="out")(x))
    if weights != "none":  # loaded weights do not depend on the seed
        random = np.random.default_rng(7)
        for variable in model.trainable_weights:
            variable.assign(random.normal(0.1, 0.3, variable.shape))
    return Backbone(model, InputScaling((1 / 127.5,) * 3, (-1.0,) * 3), name, weights)


def deeper_backbone(name="MobileNetV2", weights="none", image_size=SIZE):
    """`small_backbone` with a further, lower resolution, so that the head sees two depths."""
    small = small_backbone(name, weights, image_size)
    layers = keras.layers
    x = layers.ZeroPadding2D(((0, 1), (0, 1)), name="pad")(small.model.output)
    x = layers.DepthwiseConv2D(3, strides=2, padding="valid", use_bias=False, name="down")(x)
    x = layers.BatchNormalization(name="down_norm")(x)
    model = keras.Model(small.model.input, layers.ReLU(name="deep")(x))
    if weights != "none":
        random = np.random.default_rng(8)
        model.get_layer("down").set_weights([random.normal(0.1, 0.3, (3, 3, 8, 1))])
    return Backbone(model, small.scaling, name, weights)


@pytest.fixture(scope="session")
def prepared(tmp_path_factory):
    return write_prepared(tmp_path_factory.mktemp("data") / "prepared")


def pictures(count=4):
    return np.random.default_rng(2).uniform(0, 255, (count, SIZE, SIZE, 1)).astype(np.float32)


def close(a, b, tolerance=5e-4):
    """Rounding in 50 layers of a random ResNet50 reaches 1e-4, and differs from processor to processor."""
    a, b = np.asarray(a), np.asarray(b)
    return np.abs(a - b).max() <= tolerance * max(1.0, np.abs(b).max())


FIRST, *OTHERS = BACKBONES


@pytest.fixture(scope="session", params=[FIRST, *(pytest.param(name, marks=pytest.mark.slow) for name in OTHERS)])
def backbone(request):
    """A random backbone with the statistics of some images."""
    keras.utils.set_random_seed(1)
    built = backbones.build_backbone(request.param, "none", SIZE)
    images = np.random.default_rng(1).uniform(0, 255, (32, SIZE, SIZE, 1)).astype(np.float32)
    folding.calibrate(built.model, networks.backbone_front(built)(images))
    return built


def most_at_once(open_place, count):
    """Opens a place of checkpoints in several threads; gives how many were inside whenever one entered."""
    inside, most = [], []

    def use():
        with open_place() as place:
            assert place.folder is not None
            inside.append(place)
            most.append(len(inside))
            time.sleep(0.1)
            inside.pop()

    threads = [threading.Thread(target=use) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return most


class StoppedError(Exception):
    """Ends a training."""


def state_when_stopped(training, pauses, folder):
    """Stops a phase at one of its pauses, saves its state, and gives what another process would load."""
    left = iter(range(pauses - 1))

    def pause(_complete):
        if next(left, None) is None:
            raise StoppedError

    with pytest.raises(StoppedError):
        training.run(lambda _: None, pause)
    Checkpoint(folder, print).save("state", training.state)
    return Checkpoint(folder, print).load("state")
