"""The parameters of the benchmark: name, type, default, allowed values and meaning of each are stated here, once.

Everything else is derived from the classes below: the pipeline's inputs and those of the KFP wrappers with their
descriptions (`components.step`), the options of every command and their checks (`components.options`), the command in
the report that reproduces a run, and docs/options.md. To add a parameter, add a field to the class of its step, and
use it in the step. The file is long: a single place for all definitions reads better whole.
"""

import math
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, get_type_hints

from components.artifacts.names import BACKBONES, BUNDLED_BACKBONE, SOURCE_URLS, SOURCES
from components.console import UserError

LARGEST_WHOLE = 999_999_999

BACKBONE_LAYERS = {
    "MobileNetV2": 154,
    "MobileNetV2-0.5": 154,
    "EfficientNetB0": 237,
    "ResNet50": 175,
    "DenseNet121": 427,
}
"""How many layers each backbone has."""


@dataclass(frozen=True)
class Range:
    """Allowed numbers.

    Attributes:
        lowest: the smallest of them or, with `above`, what all of them exceed.
        highest: the largest.
        whole: whether they are integers.
        above: whether `lowest` itself is excluded.
    """

    lowest: float
    highest: float = LARGEST_WHOLE
    whole: bool = True
    above: bool = False

    def __contains__(self, value: object) -> bool:
        """Whether a value is one of them."""
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            return False
        if self.whole and value != int(value):
            return False
        return (self.lowest < value if self.above else self.lowest <= value) and value <= self.highest

    def __str__(self) -> str:
        """For example "a whole number from 32 to 1024"."""
        kind = "a whole number" if self.whole else "a number"
        lowest, highest = (int(end) if end == int(end) else end for end in (self.lowest, self.highest))
        if self.above:
            return f"{kind} above {lowest} and at most {highest}"
        return f"{kind} of at least {lowest}" if highest == LARGEST_WHOLE else f"{kind} from {lowest} to {highest}"


@dataclass(frozen=True)
class OneOf:
    """Allowed values that can be listed."""

    values: tuple[str | int, ...]

    def __contains__(self, value: object) -> bool:
        """Whether a value is one of them."""
        return value in self.values

    def __str__(self) -> str:
        """For example "one of 28, 64, 128, 224"."""
        return f"one of {', '.join(map(str, self.values))}"


@dataclass(frozen=True)
class Several:
    """Allowed texts: numbers in ascending order, separated by spaces, since a run form has no lists; or nothing.

    Attributes:
        each: the range of every number.
        usual: the numbers that an option without any stands for; "" if it must have some.
    """

    each: Range
    usual: str = ""

    def __contains__(self, value: object) -> bool:
        """Whether a value is one of them."""
        if not isinstance(value, str):
            return False
        try:
            found = self.read(value)
        except ValueError:
            return False
        if value and not found:  # spaces alone are neither numbers nor nothing
            return False
        return found == sorted(set(found)) and all(one in self.each for one in found)

    def read(self, value: str) -> list[Any]:
        """The numbers of a text.

        Raises:
            ValueError: it has something else.
        """
        # Python's int() and float() would take signs, underscores, "inf" and "nan" too.
        if not re.fullmatch(r"[\d. ]*", value):
            raise ValueError(value)
        return [int(word) if self.each.whole else float(word) for word in value.split()]

    def __str__(self) -> str:
        """For example "each a whole number from 1 to 50, ascending"."""
        return f"each {self.each}, ascending"


@dataclass(frozen=True)
class Parameter:
    """What there is to know of a parameter.

    Attributes:
        name: the step's name for it.
        kind: str, int, float or bool.
        default: used where it is not given.
        meaning: of the value, for run forms, command lines and documentation.
        allowed: values; None allows all of the kind.
        unit: a placeholder for the value on command lines, for example "PX".
        pipeline_name: the pipeline's name for it, and that of the option of `pipelines.local`.
        source: the only source for which it has an effect; "" for all.
    """

    name: str
    kind: type
    default: Any
    meaning: str
    allowed: Range | OneOf | Several | None
    unit: str
    pipeline_name: str
    source: str

    @property
    def description(self) -> str:
        """The meaning, with the allowed values where they can be listed."""
        return f"{self.meaning}: {self.allowed}" if isinstance(self.allowed, OneOf) else self.meaning

    def check(self, value: Any) -> None:
        """Refuses a value that is not allowed.

        Raises:
            UserError: it names the parameter and what is allowed.
        """
        if self.allowed is not None and value not in self.allowed:
            raise UserError(f"the parameter {self.pipeline_name} is {value!r}, but must be {self.allowed}")


def _parameter(
    default: Any,
    meaning: str,
    allowed: Range | OneOf | Several | None = None,
    unit: str = "",
    pipeline_name: str = "",
    source: str = "",
) -> Any:
    """A field of a `Parameters` class; for the arguments see `Parameter`."""
    about = {"meaning": meaning, "allowed": allowed, "unit": unit, "pipeline_name": pipeline_name, "source": source}
    return field(default=default, metadata=about)


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """Base of the parameters of a step, which are checked when an object is made.

    Raises:
        UserError: a value is not allowed.
    """

    def __post_init__(self) -> None:
        """Checks each value by itself; what values must be together, `check` knows."""
        for name, parameter in described(type(self)).items():
            parameter.check(getattr(self, name))


_FRACTION = Range(0, 1, whole=False)
_PRICE = Range(0, 1e6, whole=False)

MULTIPLES = Several(Range(0.01, 100, whole=False), usual="0.3 1 3")
"""Of the learning rate, which are tried."""

LAYERS = Several(Range(0, max(BACKBONE_LAYERS.values())), usual="5 10 20")
"""Numbers of trainable layers, which are tried."""


@dataclass(frozen=True, kw_only=True)
class DataParameters(Parameters):
    """What ingest and preprocess have in common."""

    seed: int = _parameter(1, "seed of the simulation and of the split", Range(0), "S", "data_seed")
    max_bad_fraction: float = _parameter(
        0.01, "the run fails where a larger fraction of the files than this cannot be used", _FRACTION, "X"
    )


@dataclass(frozen=True, kw_only=True)
class ReportParameters(Parameters):
    """What concerns images in the report."""

    report_images: bool = _parameter(True, "show images in the report: examples, and where the models looked")


@dataclass(frozen=True, kw_only=True)
class IngestParameters(DataParameters):
    """The parameters of ingest."""

    source: str = _parameter(
        "synthetic",
        f"where the images come from: {', '.join(SOURCES)}, or a URL that begins with {', '.join(SOURCE_URLS)} (the "
        "last one of an archive)",
        unit="SOURCE",
    )
    path: str = _parameter(
        "",
        "folder, archive or table of labels (source directory); id of the dataset (kaggle); .npz file (pneumoniamnist)",
        unit="PATH",
    )
    sha256: str = _parameter("", "SHA-256 of the archive behind an https URL; other content is refused", unit="DIGEST")
    pneumoniamnist_size: int = _parameter(
        128,
        "height and width of PneumoniaMNIST's images in px",
        OneOf((28, 64, 128, 224)),
        "PX",
        source="pneumoniamnist",
    )
    synthetic_images: int = _parameter(1200, "how many radiographs to simulate", Range(40), "N", source="synthetic")
    synthetic_size: int = _parameter(
        160, "length of their shorter side in px, approximately", Range(32, 4096), "PX", source="synthetic"
    )
    synthetic_difficulty: float = _parameter(0.5, "from 0 (easy) to 1", _FRACTION, "X", source="synthetic")


@dataclass(frozen=True, kw_only=True)
class PreprocessParameters(DataParameters, ReportParameters):
    """The parameters of preprocess."""

    image_size: int = _parameter(96, "height and width of the prepared images in px", Range(32, 1024), "PX")
    deduplicate: bool = _parameter(False, "leave copies of images out, also re-encoded and resized ones")
    resplit: bool = _parameter(False, "ignore the source's splits and make new ones, by patient")


@dataclass(frozen=True, kw_only=True)
class RecipeParameters(Parameters):
    """What all trainings of a run have in common."""

    backbone: str = _parameter(
        "MobileNetV2", "pre-trained network of the regimes that have one", OneOf(BACKBONES), "NAME"
    )
    weights: str = _parameter(
        "imagenet",
        "weights of the backbone: imagenet, bundled, none (random), or the path of a Keras weights file without top",
        unit="WEIGHTS",
    )
    epochs: int = _parameter(
        20,
        "most passes over the training images; transfer learning has none, but with 1 it uses no augmented ones",
        Range(1),
        "N",
    )
    batch_size: int = _parameter(32, "images per step", Range(1), "N")
    learning_rate: float = _parameter(
        0.001,
        "peak learning rate; the recipe multiplies it by a factor for each regime",
        Range(0, 0.999, whole=False, above=True),
        "X",
    )
    trainable_layers: int = _parameter(
        10, "how many of the backbone's last layers partial fine-tuning trains", Range(0), "N"
    )
    patience: int = _parameter(
        5, "epochs without a better validation ROC AUC before training stops; 0 trains all epochs", Range(0), "N"
    )
    seed: int = _parameter(1, "first seed of weights, order and augmentation", Range(0), "S")
    deterministic: bool = _parameter(
        False, "GPUs too use deterministic operations only, which are slower: the same seed then gives the same model"
    )


@dataclass(frozen=True, kw_only=True)
class TrainParameters(RecipeParameters):
    """The parameters of train."""

    seeds: int = _parameter(
        3, "number of seeds that every regime is trained with, each one greater than the last", Range(1), "N"
    )
    tune_learning_rate: str = _parameter(
        "",
        "multiples of the learning rate that every regime tries, keeping the best on validation; empty for no search",
        MULTIPLES,
        "X",
    )
    tune_trainable_layers: str = _parameter(
        "",
        "numbers of trainable layers that partial fine-tuning tries likewise; empty for no search",
        LAYERS,
        "N",
    )


@dataclass(frozen=True, kw_only=True)
class BaselineParameters(Parameters):
    """The parameters of the baseline's evaluation."""

    target_sensitivity: float = _parameter(
        0.0,
        "the threshold is the highest that reaches this sensitivity on validation; 0 maximises Youden's J instead",
        _FRACTION,
        "X",
    )


BUDGETS = Several(Range(20), usual="50 100 200 400")
"""Allowed label budgets. With fewer than 20 patients, validation hardly has some of each class."""


@dataclass(frozen=True, kw_only=True)
class LabelBudgetParameters(RecipeParameters, BaselineParameters):
    """The parameters of the trainings with label budgets."""

    budgets: str = _parameter(
        "",
        "numbers of labelled patients (training and validation together) with which every regime is trained too, to "
        "see how many are needed; empty for none",
        BUDGETS,
        "N",
        "label_budgets",
    )
    draws: int = _parameter(5, "how many times the patients of each label budget are drawn", Range(1, 99), "D")


@dataclass(frozen=True, kw_only=True)
class EvaluateParameters(BaselineParameters, ReportParameters):
    """The parameters of evaluate."""


@dataclass(frozen=True, kw_only=True)
class CompareParameters(Parameters):
    """The parameters of compare."""

    gpu_hour_price: float = _parameter(
        0.0, "price of an hour of training with a GPU, in any currency; 0 for unknown", _PRICE, "PRICE"
    )
    cpu_hour_price: float = _parameter(0.0, "price of an hour of training without a GPU", _PRICE, "PRICE")
    prevalence: float = _parameter(
        0.0,
        "share of pneumonia in the population for which the report shows predictive values and net benefit; 0 for "
        "unknown",
        Range(0, 0.999, whole=False),
        "P",
    )
    harm_ratio: float = _parameter(
        0.0,
        "how many times as bad as a false alarm a missed pneumonia is, for the net benefit (needs the prevalence); "
        "0 for unknown",
        Range(0, 1000, whole=False),
        "W",
    )
    label_price: float = _parameter(
        0.0, "price of labelling one patient, in the currency of the other prices; 0 for unknown", _PRICE, "PRICE"
    )


STEPS: tuple[type[Parameters], ...] = (
    IngestParameters,
    PreprocessParameters,
    TrainParameters,
    EvaluateParameters,
    CompareParameters,
)
"""The parameters of each step, in the order of the pipeline; those of label budgets, an option, are not among them."""


def described(step: type[Parameters]) -> dict[str, Parameter]:
    """The parameters of a step by its own names, those that it shares with another step last."""
    kinds, known = get_type_hints(step), {own.name: own for own in fields(step)}
    names = [name for part in step.__mro__ for name in vars(part).get("__annotations__", {})]
    return {
        name: Parameter(
            name=name,
            kind=kinds[name],
            default=known[name].default,
            meaning=known[name].metadata["meaning"],
            allowed=known[name].metadata["allowed"],
            unit=known[name].metadata["unit"],
            pipeline_name=known[name].metadata["pipeline_name"] or name,
            source=known[name].metadata["source"],
        )
        for name in names
    }


PIPELINE = {
    parameter.pipeline_name: parameter
    for step in (*STEPS, LabelBudgetParameters)
    for parameter in described(step).values()
}
"""All parameters by the pipeline's names; one that several steps take has one value for all of them."""


def defaults(step: type[Parameters]) -> dict[str, Any]:
    """The defaults of a step's parameters, by its own names."""
    return {name: parameter.default for name, parameter in described(step).items()}


def values_of(step: type[Parameters], values: Mapping[str, Any]) -> dict[str, Any]:
    """What a step takes of the pipeline's values, by the step's own names."""
    return {name: values[parameter.pipeline_name] for name, parameter in described(step).items()}


def recorded(arguments: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The pipeline's values, by its names, from the arguments that the steps recorded.

    Args:
        arguments: of each step, in the order of `STEPS`. A value that several steps have is that of the first.
    """
    values: dict[str, Any] = {}
    for step, own in zip(STEPS, arguments, strict=True):
        for name, parameter in described(step).items():
            if name in own:
                values.setdefault(parameter.pipeline_name, own[name])
    return values


def check_comparison(values: Mapping[str, Any], spell: Callable[[str], str]) -> None:
    """Finds values of `CompareParameters` that do not fit together.

    Args:
        values: by name.
        spell: how the user writes a parameter.

    Raises:
        UserError: there is a harm ratio, but no prevalence.
    """
    if values["harm_ratio"] and not values["prevalence"]:
        raise UserError(
            f"{spell('harm_ratio')} has no effect without a prevalence: give {spell('prevalence')} too, for example 0.1"
        )


def check_budgets(values: Mapping[str, Any], given: Collection[str], spell: Callable[[str], str]) -> None:
    """Finds values that have an effect on label budgets only.

    Args:
        values: by the pipeline's names.
        given: the names of those that the user gave.
        spell: how the user writes a parameter.

    Raises:
        UserError: there is a number of draws or a price, but no budget.
    """
    for name in ("draws", "label_price"):
        if name in given and values[name] and not values["label_budgets"]:
            raise UserError(f"{spell(name)} has no effect without label budgets: give {spell('label_budgets')} too")


def check_training(values: Mapping[str, Any], spell: Callable[[str], str]) -> None:
    """Finds values of `TrainParameters` that do not fit together, without TensorFlow.

    Args:
        values: by name.
        spell: how the user writes a parameter.

    Raises:
        UserError: the backbone has other bundled weights, or fewer layers, or a learning rate would be too high.
    """
    backbone, weights = values["backbone"], values["weights"]
    if weights == "bundled" and not BUNDLED_BACKBONE.startswith(backbone):
        raise UserError(f"the bundled weights are not those of {backbone}: leave {spell('backbone')} out")
    if not weights:
        raise UserError(f"{spell('weights')} is empty: give imagenet, bundled, none or the path of a file")
    layers = [("trainable_layers", values["trainable_layers"])]
    layers += [("tune_trainable_layers", number) for number in LAYERS.read(values["tune_trainable_layers"])]
    for name, number in layers:
        if number > BACKBONE_LAYERS[backbone]:
            raise UserError(
                f"{spell(name)} is {number}, but {backbone} has {BACKBONE_LAYERS[backbone]} layers: choose at most "
                "that many"
            )
    allowed = described(TrainParameters)["learning_rate"].allowed
    for multiple in MULTIPLES.read(values["tune_learning_rate"]):
        rate = times(values["learning_rate"], multiple)
        if allowed and rate not in allowed:
            raise UserError(
                f"{spell('tune_learning_rate')} has {multiple:g}, with which the learning rate is {rate:g}, but it "
                f"must be {allowed}: choose smaller multiples"
            )


def times(learning_rate: float, multiple: float) -> float:
    """A multiple of a learning rate, as a person would write it: 0.3 and not 0.30000000000000004."""
    return float(f"{learning_rate * multiple:.15g}")
