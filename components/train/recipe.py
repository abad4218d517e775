"""The training recipe: all hyperparameters of training in one place; the report prints them.

README.md has the results of this recipe for MobileNetV2 pre-trained on ImageNet and images of 96 px.
"""

import math
from dataclasses import asdict, dataclass, replace

from components.console import UserError
from components.parameters import RecipeParameters

MINIMUM_STEPS, MINIMUM_WARM_UP_STEPS = 200, 50
"""Steps of a training on few images, and of the warm-up of its head. An epoch of 80 images has two steps, so that the
usual number of epochs would judge how short the training is instead of how few the images are."""


@dataclass(frozen=True)
class Recipe:
    """Hyperparameters of a training.

    Attributes:
        epochs: largest number of passes over the training images.
        batch_size: images per step.
        learning_rate: base learning rate; multiplied by one of the following factors it is the peak of a schedule.
        head_factor: factor for training the head alone on stored features.
        from_scratch_factor: factor for the custom CNN.
        fine_tuning_factor: factor for training backbone layers together with the head.
        warm_up_epochs: epochs in which full fine-tuning trains only the head, on stored features.
        rising_fraction: fraction of the steps in which the learning rate rises linearly before it falls as a cosine
            (Loshchilov and Hutter 2017, arXiv:1608.03983).
        weight_decay: decoupled weight decay of AdamW (Loshchilov and Hutter 2019, arXiv:1711.05101).
        dropout: dropout rate before the last layer.
        patience: epochs without a better ROC AUC on validation before training stops; 0 trains all epochs.
        stored_views: largest number of views of each training image for which features are stored; the first view is
            the image itself, the others are augmented.
        stored_strength: strength of this augmentation; weaker, because frozen layers cannot adapt to it.
        rotation_degrees: largest rotation.
        shift: largest shift, as a fraction of width and height.
        zoom, aspect: largest relative change of scale and of aspect ratio.
        gamma: exponents of the grey values range from 1/(1 + gamma) to 1 + gamma.
        contrast: contrast factors range from 1/(1 + contrast) to 1 + contrast.
        brightness: largest change of brightness, as a fraction of the full range.
        tone_curve, bias_field, sharpness: of stored views that are not for full fine-tuning: largest relative change of
            the contrast of the middle tones by an S-shaped curve or its inverse; of exposure at the middle of each
            edge; largest multiple of the details (the difference from means of 3 x 3 px) that is added or taken away.
        class_weights: of the loss; "balanced" means inversely proportional to the frequency of the class in training.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    patience: int
    head_factor: float = 2.0
    from_scratch_factor: float = 3.0
    fine_tuning_factor: float = 0.3
    warm_up_epochs: int = 5
    rising_fraction: float = 0.1
    weight_decay: float = 1e-4
    dropout: float = 0.3
    stored_views: int = 2
    stored_strength: float = 0.7
    rotation_degrees: float = 10.0
    shift: float = 0.08
    zoom: float = 0.15
    aspect: float = 0.1
    gamma: float = 0.5
    contrast: float = 0.3
    brightness: float = 0.1
    tone_curve: float = 0.5
    bias_field: float = 0.3
    sharpness: float = 1.0
    class_weights: str = "balanced"

    @classmethod
    def of(cls, regime: str, parameters: RecipeParameters) -> "Recipe":
        """The recipe of a regime with what users set.

        A training of one epoch passes over the images once, so that it stores one view of each, without augmentation.
        This takes less time, and the ROC AUC is a little lower. In full fine-tuning stored views serve the head's
        warm-up, which always has several epochs.
        """
        views = cls.stored_views
        return cls(
            stored_views=views if regime == "full_fine_tuning" else min(views, parameters.epochs),
            epochs=parameters.epochs,
            batch_size=parameters.batch_size,
            learning_rate=parameters.learning_rate,
            patience=parameters.patience,
        )

    def __post_init__(self) -> None:
        """Checks the values that users set.

        Raises:
            UserError: a value is out of range.
        """
        for name, value, lowest in (("epochs", self.epochs, 1), ("batch size", self.batch_size, 1)):
            if value < lowest:
                raise UserError(f"{name} is {value}, but must be at least {lowest}")
        if self.patience < 0:
            raise UserError(f"patience is {self.patience}, but must be 0 (train all epochs) or more")
        if not 0 < self.learning_rate < 1:
            raise UserError(f"learning rate is {self.learning_rate}, but must lie between 0 and 1; 0.001 is usual")

    def as_dict(self) -> dict[str, float | int | str]:
        """All settings by name."""
        return asdict(self)


def with_enough_steps(recipe: Recipe, images: int, every: int) -> Recipe:
    """The recipe with epochs for `MINIMUM_STEPS` where there are few images, and with patience in proportion.

    But for no more steps than all images would have: otherwise few patients would seem to do better than all.

    Args:
        recipe: for many images; it is given back where it has enough steps.
        images: number of training images.
        every: number of training images of all patients.
    """
    steps, of_all = (max(1, count // min(recipe.batch_size, count)) for count in (images, every))

    def enough(epochs: int, fewest: int) -> int:
        return max(epochs, min(math.ceil(fewest / steps), epochs * of_all // steps))

    epochs = enough(recipe.epochs, MINIMUM_STEPS)
    return replace(
        recipe,
        epochs=epochs,
        patience=math.ceil(recipe.patience * epochs / recipe.epochs),
        warm_up_epochs=enough(recipe.warm_up_epochs, MINIMUM_WARM_UP_STEPS),
    )
