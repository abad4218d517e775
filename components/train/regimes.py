"""How each regime builds its network, and the phases in which it trains it."""

import keras

from components.parameters import RecipeParameters
from components.train import backbones, folding, networks
from components.train.augmentation import RadiographAugmentation
from components.train.backbones import Backbone
from components.train.batches import computation
from components.train.linear_head import Head
from components.train.networks import HEAD_LAYERS, Network
from components.train.session import HEAD_WARM_UP, TRAINING, Session
from components.train.stored_features import Examples
from components.train.validation import Validation

CALIBRATED = ("none", "bundled")
"""Weights whose batch statistics are computed from training images, so that frozen layers depend on them."""


def build(session: Session, parameters: RecipeParameters) -> tuple[Network, Backbone | None, set[str]]:
    """Builds the network; also returns its backbone, and the names of the layers that are trained."""
    if session.regime == "custom_cnn":
        return networks.custom_cnn(session.image_size, session.recipe), None, set()
    base = backbones.build_backbone(parameters.backbone, parameters.weights, session.image_size)
    trained = networks.trainable_layers(base, session.regime, parameters.trainable_layers)
    # Batch statistics of photographs suit radiographs; those of fractals and initial ones do not.
    if base.weights in CALIBRATED:
        images = folding.calibration_images(session.images.train[0][0])
        folding.calibrate(base.model, keras.ops.convert_to_numpy(networks.backbone_front(base)(images)))
    session.loaded_weights = base.weights != "none"
    network = networks.on_backbone(base, trained, session.recipe, session.regime != "full_fine_tuning")
    return network, base, trained | HEAD_LAYERS


def fit(
    session: Session, base: Backbone | None, network: Network, trained: set[str]
) -> tuple[Network, Validation | Head]:
    """Trains the network in the phases of its regime; also returns what knows the best epoch of the last phase."""
    recipe, body = session.recipe, network.network
    image = keras.Input(network.front.input_shape[1:])
    on_images = keras.Sequential([image, RadiographAugmentation(recipe, session.seed), network.front, body])
    limits = {"epochs": recipe.epochs, "patience": recipe.patience}
    if base is None:
        rate = recipe.learning_rate * recipe.from_scratch_factor
        return network, session.fit(TRAINING, on_images, network.logits(), session.images, learning_rate=rate, **limits)

    frozen = frozen_outputs(session, network, trained)
    if session.regime == "transfer_learning":
        head = session.solve(TRAINING, network, augmented_features(session, network, frozen))
        return networks.without_depths(network, base, head.fit.depths, recipe), head
    # Later, the head is in the checkpoint, scaling included.
    warm_up, rate = not session.past(HEAD_WARM_UP), recipe.learning_rate * recipe.fine_tuning_factor
    if session.regime == "full_fine_tuning":
        if warm_up:
            _warm_up(session, network, augmented_features(session, network, frozen))
        return network, session.fit(TRAINING, on_images, network.logits(), session.images, learning_rate=rate, **limits)
    examples = augmented_features(session, network, frozen)
    if warm_up:
        pooled = networks.cut(body, HEAD_LAYERS)
        session.solve(HEAD_WARM_UP, network, _pooled_features(session, frozen, pooled, examples))
    above = networks.above(frozen, body.output)
    return network, session.fit(TRAINING, above, above, examples, learning_rate=rate, **limits)


def frozen_outputs(session: Session, network: Network, trained: set[str]) -> list[keras.KerasTensor]:
    """Where the frozen layers end whose features a regime stores before it trains anything.

    Args:
        session: of a regime with a backbone.
        network: built by `build`.
        trained: names of the layers that are trained, likewise.
    """
    return networks.cut(network.network, trained if session.regime == "partial_fine_tuning" else HEAD_LAYERS)


def _warm_up(session: Session, network: Network, features: Examples) -> None:
    """Trains the head of full fine-tuning for a few epochs on stored features."""
    recipe, body = session.recipe, network.network
    networks.set_feature_scale(body, features.train[0][0])
    head = networks.above(networks.cut(body, HEAD_LAYERS), body.output)
    rate = recipe.learning_rate * recipe.head_factor
    session.fit(HEAD_WARM_UP, head, head, features, learning_rate=rate, epochs=recipe.warm_up_epochs, patience=0)


def _pooled_features(
    session: Session, crossing: list[keras.KerasTensor], pooled: list[keras.KerasTensor], examples: Examples
) -> Examples:
    """Stores what partial fine-tuning's head is warmed up on, from the features at the cut."""
    unchanged = [lambda batch: batch] * (session.recipe.stored_views - 1)  # the views are augmented already
    return session.store("pooled", networks.above(crossing, pooled), unchanged, examples)


def augmented_features(session: Session, network: Network, tensors: list[keras.KerasTensor]) -> Examples:
    """Stores features of all images and, for training images, of further views that are augmented at random."""
    below = keras.Model(network.network.input, tensors)
    model = keras.Model(network.front.input, below(network.front.output))
    recipe = session.recipe
    # What full fine-tuning does later decides about its invariances, not this.
    processing = session.regime != "full_fine_tuning"
    augmentation = RadiographAugmentation(recipe, session.seed, recipe.stored_strength, processing)
    augment = computation(keras.Sequential([keras.Input(model.input_shape[1:]), augmentation]), training=True)
    views = f"{recipe.stored_views} views of the training images" if recipe.stored_views > 1 else "the images"
    session.say(f"storing features of {views}")
    return session.store("features", model, [augment] * (recipe.stored_views - 1), session.images)
