import keras
import numpy as np
import pytest

from components.train.optimizer import FlatAdamW

SHAPES = ((3, 3, 2, 4), (4,), (), (4, 1))


def train(optimizer: keras.optimizers.Optimizer, steps: int = 25) -> list[np.ndarray]:
    """The variables after some steps down the slope of a random quadratic function."""
    random = np.random.default_rng(1)
    variables = [keras.Variable(random.normal(size=shape).astype(np.float32)) for shape in SHAPES]
    targets = [random.normal(size=shape).astype(np.float32) for shape in SHAPES]
    steepness = [10.0 ** random.uniform(-4, 3, shape).astype(np.float32) for shape in SHAPES]
    for _ in range(steps):
        grads = [s * (v - t) for s, v, t in zip(steepness, variables, targets, strict=True)]
        optimizer.apply(grads, variables)
    return [keras.ops.convert_to_numpy(variable) for variable in variables]


@pytest.mark.medium
def test_same_variables_as_keras_adamw():
    def schedule():
        return keras.optimizers.schedules.CosineDecay(0.0, 15, warmup_target=0.05, warmup_steps=10)

    ours, theirs = train(FlatAdamW(schedule(), weight_decay=0.1)), train(keras.optimizers.AdamW(schedule(), 0.1))
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_weight_decay_acts_without_any_gradient():
    variable = keras.Variable(np.full((3,), 2.0, np.float32))
    optimizer = FlatAdamW(0.5, weight_decay=0.1)
    optimizer.apply([keras.ops.zeros((3,))], [variable])
    np.testing.assert_allclose(keras.ops.convert_to_numpy(variable), 2.0 * (1 - 0.5 * 0.1))


def test_counts_steps():
    optimizer = FlatAdamW(0.1, weight_decay=0.0)
    train(optimizer, steps=3)
    assert int(optimizer.iterations) == 3


def test_a_single_variable():
    variable = keras.Variable(np.ones((2, 2), np.float32))
    FlatAdamW(0.1, weight_decay=0.0).apply([keras.ops.ones((2, 2))], [variable])
    np.testing.assert_allclose(keras.ops.convert_to_numpy(variable), 0.9, rtol=1e-5)


def test_without_knowing_the_variables_there_is_no_update():
    with pytest.raises(ValueError, match=r"call build\(\) first, or pass them"):
        FlatAdamW(0.1).apply([keras.ops.ones((2,))])
