"""What the training loop reports."""

import keras
import numpy as np

from components.train import fitting
from components.train.batches import Batches
from components.train.recipe import Recipe


def test_the_reported_loss_is_the_mean_of_the_epoch(monkeypatch):
    inputs, labels = np.zeros((1, 6, 2), np.float32), np.array([0, 1] * 3)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    losses = iter([1.0, 2.0, 6.0])
    monkeypatch.setattr(model, "train_on_batch", lambda *_, **__: {"loss": next(losses)})
    records = []
    monitor = fitting.Validation(model, [inputs], labels, np.ones(6), patience=0)
    recipe = Recipe(epochs=1, batch_size=2, learning_rate=0.1, patience=0)
    fitting.fit(model, Batches([inputs], labels, np.ones(6), 2, seed=1), monitor, 1, 0.1, recipe, records.append)
    assert records[0]["train_loss"] == 3.0
