"""The networks of the four regimes, from raw grey values to one logit."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import keras
import numpy as np

from components.console import UserError
from components.train import folding, heads
from components.train.backbones import Backbone
from components.train.heads import DROPOUT, FEATURE_SCALE, HEAD, SCALE_EPSILON
from components.train.recipe import Recipe

GREY_MEAN, GREY_STD = 123.0, 60.0
"""Mean and standard deviation (grey values) to which every image is standardised, to be independent of exposure."""

POOL = "pool"
HEAD_LAYERS = {FEATURE_SCALE, DROPOUT, HEAD}
"""Layers above the pooled features, whose output changes while the head is trained."""

DEPTHS = 3
"""Number of resolutions of the backbone whose feature maps the head may see."""

CUSTOM_CNN = ((16, 5, 4), (32, 3, 2), (64, 3, 2), (96, 3, 1))
"""Convolutions of the custom CNN: channels, kernel size, stride."""


@dataclass(frozen=True)
class Network:
    """A network to train.

    Attributes:
        front: maps grey values (N, H, W, 1) in [0, 255] to the input of `network`; has no weights.
        network: returns logits (N, 1); a functional model in which every layer is used once.
        parameters: number of weights before folding, head included.
        trainable_parameters: number of those that are trained.
        widths: number of features of each depth that the head sees, by name, input first; empty without a backbone.
    """

    front: keras.Model
    network: keras.Model
    parameters: int
    trainable_parameters: int
    widths: Mapping[str, int] = field(default_factory=dict)

    def logits(self) -> keras.Model:
        """Front and network as one model."""
        return keras.Sequential([self.front, self.network])

    def columns(self, chosen: Sequence[str]) -> np.ndarray:
        """Which of the pooled features belong to some of the depths, bool (channels,)."""
        return np.repeat([name in chosen for name in self.widths], list(self.widths.values()))

    def classifier(self) -> keras.Model:
        """The model to save: maps uint8 (N, H, W, 1) to the probability of pneumonia, float32 (N, 1)."""
        inputs = keras.Input(self.front.input_shape[1:], dtype="uint8", name="image")
        logits = in_float32(self.network)(self.front(inputs))
        return keras.Model(inputs, keras.layers.Activation("sigmoid", dtype="float32", name="probability")(logits))


def in_float32(model: keras.Model) -> keras.Model:
    """A copy that computes in float32; `model` itself if it already does."""

    def copy_layer(layer: keras.layers.Layer) -> keras.layers.Layer:
        return layer.__class__.from_config(layer.get_config() | {"dtype": "float32"})

    if all(layer.compute_dtype == "float32" for layer in model.layers):
        return model
    copy = keras.models.clone_model(model, clone_function=copy_layer)
    copy.set_weights(model.get_weights())
    return copy


def normalized_input(image_size: int) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """The input (N, H, W, 1), and the same with every image standardised to `GREY_MEAN` and `GREY_STD`."""
    inputs = keras.Input((image_size, image_size, 1), name="image")
    # Layer normalisation over all pixels, without parameters, standardises each image.
    x = keras.layers.LayerNormalization(
        axis=(1, 2, 3), epsilon=1.0, center=False, scale=False, dtype="float32", name="standardize"
    )(inputs)
    return inputs, keras.layers.Rescaling(GREY_STD, GREY_MEAN, dtype="float32", name="grey_values")(x)


def custom_cnn(image_size: int, recipe: Recipe) -> Network:
    """A small CNN trained from scratch: four convolutions with batch normalisation, then global average pooling.

    The first has a stride of four, so that at 96 px a forward pass needs a twentieth of the multiplications of the
    usual stack of 32, 64 and 128 channels with max-pooling. Of a dozen designs compared on validation, it had the best
    ROC AUC among those of similar speed.
    """
    inputs, x = normalized_input(image_size)
    x = keras.layers.Rescaling(1 / GREY_STD, -GREY_MEAN / GREY_STD, dtype="float32", name="unit_scale")(x)
    front = keras.Model(inputs, x, name="input_scaling")
    x = image = keras.Input(x.shape[1:])
    for i, (channels, kernel, stride) in enumerate(CUSTOM_CNN, 1):
        x = keras.layers.Conv2D(channels, kernel, stride, padding="same", use_bias=False, name=f"conv{i}")(x)
        # Averages over about ten steps: with Keras's default of 0.99, statistics would lag behind in a short training.
        x = keras.layers.BatchNormalization(momentum=0.9, name=f"norm{i}")(x)
        x = keras.layers.Activation("relu", name=f"relu{i}")(x)
    x = keras.layers.GlobalAveragePooling2D(dtype="float32", name=POOL)(x)
    x = keras.layers.Dropout(recipe.dropout, dtype="float32", name=DROPOUT)(x)
    network = keras.Model(image, keras.layers.Dense(1, dtype="float32", name=HEAD)(x), name="custom_cnn")
    learned = sum(_learned_parameters(layer) for layer in network.layers)
    return Network(front, network, network.count_params(), learned)


def trainable_layers(backbone: Backbone, regime: str, last: int) -> set[str]:
    """Names of the backbone's layers that a regime trains: none, the last `last`, or all.

    Raises:
        UserError: `last` is negative or greater than the number of layers.
    """
    layers = backbone.model.layers
    if not 0 <= last <= len(layers):
        raise UserError(
            f"trainable layers is {last}, but {backbone.name} has {len(layers)}: use a number from 0 to that"
        )
    first = {"transfer_learning": len(layers), "partial_fine_tuning": len(layers) - last, "full_fine_tuning": 0}[regime]
    return {layer.name for layer in layers[first:]}


def on_backbone(backbone: Backbone, trainable: set[str], recipe: Recipe, several_depths: bool = True) -> Network:
    """Puts a new head on a pre-trained backbone: averages of maps of several depths, scaled, and a linear layer.

    Args:
        backbone: the network below the head.
        trainable: names of its layers that are trained; trained batch normalisation layers keep their statistics.
        recipe: gives the dropout rate.
        several_depths: whether the head sees the last feature maps of several resolutions, or only the last ones.
    """
    folded = folding.fold(backbone.model, trainable)
    maps = depths(folded)
    if several_depths:
        return _with_head(backbone, folded, maps, trainable, recipe)
    (last,) = list(maps)[-1:]
    return _with_head(backbone, folded, {last: folded.output}, trainable, recipe, epsilon=1e-3)


def without_depths(network: Network, backbone: Backbone, chosen: Sequence[str], recipe: Recipe) -> Network:
    """The same function without the depths that the head does not use, and without the layers above them.

    Args:
        network: built by `on_backbone`; all weights of the head for other depths are 0.
        backbone: as for `on_backbone`.
        chosen: names of the depths that are kept.
        recipe: as for `on_backbone`.

    Returns:
        A network that shares the layers of the backbone.
    """
    full, widths = network.network, network.widths
    if list(chosen) == list(widths):
        return network
    maps = {name: full.get_layer(name).output for name in chosen}
    folded = keras.Model(full.input, list(maps.values()))
    fewer = _with_head(backbone, folded, maps, set(), recipe)
    heads.copy(full, network.columns(chosen), fewer.network)
    return fewer


def _with_head(
    backbone: Backbone,
    folded: keras.Model,
    maps: Mapping[str, keras.KerasTensor],
    trainable: set[str],
    recipe: Recipe,
    epsilon: float = SCALE_EPSILON,
) -> Network:
    pooled = [
        keras.layers.GlobalAveragePooling2D(dtype="float32", name=f"{POOL}_{name}")(tensor)
        for name, tensor in maps.items()
    ]
    x = keras.layers.Concatenate(dtype="float32", name=POOL)(pooled) if len(pooled) > 1 else pooled[0]
    network = keras.Model(folded.input, heads.layers(x, recipe.dropout, epsilon), name=backbone.name)
    network.get_layer(FEATURE_SCALE).trainable = False

    head_size = network.get_layer(HEAD).count_params()
    below = keras.Model(backbone.model.input, [backbone.model.get_layer(name).output for name in maps])
    learned = sum(_learned_parameters(layer) for layer in below.layers if layer.name in trainable)
    front = backbone_front(backbone)
    widths = {name: tensor.shape[-1] for name, tensor in maps.items()}
    return Network(front, network, below.count_params() + head_size, learned + head_size, widths)


def depths(network: keras.Model) -> dict[str, keras.KerasTensor]:
    """The last feature maps of each of the three lowest resolutions, by the name of their layer, input first.

    Args:
        network: a backbone; its output are the last feature maps.
    """
    coarsest = network.output.shape[1]
    last: dict[int, str] = {}
    for layer in network.layers:
        shape = layer.output.shape
        passes_on = isinstance(layer, keras.layers.InputLayer | keras.layers.ZeroPadding2D)
        if len(shape) == 4 and shape[1] >= coarsest and not passes_on:
            last[shape[1]] = layer.name
    names = [last[size] for size in sorted(last, reverse=True)[-DEPTHS:]]
    return {name: network.get_layer(name).output for name in names}


def backbone_front(backbone: Backbone) -> keras.Model:
    """Maps grey values (N, H, W, 1) to the backbone's input: standardised, three equal channels, scaled."""
    inputs, x = normalized_input(backbone.model.input_shape[1])
    x = keras.layers.Concatenate(dtype="float32", name="three_channels")([x, x, x])
    x = keras.layers.Rescaling(
        list(backbone.scaling.scale), list(backbone.scaling.offset), dtype="float32", name="backbone_input"
    )(x)
    return keras.Model(inputs, x, name="input_scaling")


def set_feature_scale(network: keras.Model, features: np.ndarray) -> None:
    """Sets the scaling of the head so that its features have mean 0 and variance 1.

    Args:
        network: built by `on_backbone`.
        features: pooled features of the training images, float32 (N, channels).
    """
    network.get_layer(FEATURE_SCALE).set_weights([features.mean(axis=0), features.var(axis=0)])


def scaled_features(network: keras.Model, features: np.ndarray) -> np.ndarray:
    """Features as the linear layer of the head sees them.

    Args:
        network: built by `on_backbone`, with its scaling set.
        features: pooled features, float32 (..., channels).
    """
    scale = network.get_layer(FEATURE_SCALE)
    mean, variance = scale.get_weights()
    scaled = features - mean
    scaled /= np.sqrt(variance + np.float32(scale.epsilon))  # in place: features may take gigabytes
    return np.asarray(scaled)


def set_head(network: keras.Model, kernel: np.ndarray, bias: float) -> None:
    """Sets the weights of the linear layer.

    Args:
        network: built by `on_backbone`.
        kernel: one weight for each scaled feature, float32 (channels,).
        bias: of the logit.
    """
    network.get_layer(HEAD).set_weights([kernel[:, None], np.array([bias], np.float32)])


def cut(network: keras.Model, changing: set[str]) -> list[keras.KerasTensor]:
    """The tensors between a network's frozen part and the part that changes during training.

    The upper part consists of all layers whose output changes during training and all layers that depend on them. If
    skip connections cross the cut, there are several tensors. `keras.Model(network.input, tensors)` is the lower part,
    `keras.Model(tensors, network.output)` the upper; both share the layers of the network.

    Args:
        network: a functional model in which every layer is used once.
        changing: names of the layers that are trained or random.
    """
    above: set[int] = set()
    crossing: dict[int, keras.KerasTensor] = {}
    for layer in network.layers:
        if isinstance(layer, keras.layers.InputLayer):
            continue
        tensors = keras.tree.flatten(layer.input)
        if layer.name in changing or any(id(tensor) in above for tensor in tensors):
            above.update(id(tensor) for tensor in keras.tree.flatten(layer.output))
            crossing.update((id(tensor), tensor) for tensor in tensors if id(tensor) not in above)
    return list(crossing.values())


def above(tensors: list[keras.KerasTensor], outputs: keras.KerasTensor | list[keras.KerasTensor]) -> keras.Model:
    """The part of a network from `tensors` up; of a single one it takes batches as they are, not in a list."""
    return keras.Model(tensors if len(tensors) > 1 else tensors[0], outputs)


def _learned_parameters(layer: keras.layers.Layer) -> int:
    """Number of a layer's weights that training changes: all except the statistics of batch normalisation."""
    return sum(math.prod(weight.shape) for weight in layer.trainable_weights)
