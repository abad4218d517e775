"""The training recipe: every number that shapes training, in one place, printed in the report.

With this recipe, MobileNetV2 pre-trained on ImageNet and 96-pixel images, see README.md for the results it reaches.
"""

from dataclasses import asdict, dataclass
from typing import Any

from components.console import UserError


@dataclass(frozen=True)
class Recipe:
    """How one regime is trained.

    Attributes:
        epochs: at most this many passes over the training images.
        batch_size: images a step.
        learning_rate: what the following factors multiply; each product is a peak.
        head_factor: the head alone, on stored features, learns at `learning_rate` times this.
        from_scratch_factor: the custom CNN learns at `learning_rate` times this.
        fine_tuning_factor: backbone and head, once trained together, learn at `learning_rate` times this.
        warm_up_epochs: passes in which only the head is trained, on stored features, before anything below it is.
        rising_fraction: the part of all steps in which the learning rate rises; then it falls as a cosine
            (Loshchilov and Hutter 2017, arXiv:1608.03983).
        weight_decay: decoupled, AdamW (Loshchilov and Hutter 2019, arXiv:1711.05101).
        dropout: before the last layer.
        patience: epochs without a better ROC AUC on validation before training stops; 0 trains all epochs.
        stored_views: how often each training image is stored, differently augmented, where features are stored;
            the first view is the image itself.
        stored_strength: strength of that augmentation: what lies above frozen layers can learn less of it.
        rotation_degrees, shift, zoom, aspect: largest change of geometry (shift in parts of the width).
        gamma, contrast, brightness: largest change of exposure: exponents from 1/(1+gamma) to 1+gamma, contrast
            likewise, brightness in parts of the full range.
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

    def as_dict(self) -> dict[str, Any]:
        """All settings by name."""
        return asdict(self)
