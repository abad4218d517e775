"""What values the pipeline's parameters may have, for runs on this machine and on a cluster alike.

The steps check their own arguments; here the same limits are known before anything runs, without TensorFlow.
"""

import argparse
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from components.artifacts.names import BACKBONES, BUNDLED_BACKBONE, SOURCE_URLS, SOURCES
from components.artifacts.raw_dataset import MAX_BAD_FRACTION
from components.console import UserError
from components.ingest.sources import open_source

LARGEST_WHOLE = 999_999_999

_ARCHIVES = ("https://", "http://")
_URLS = (*SOURCE_URLS, *_ARCHIVES)


@dataclass(frozen=True)
class Range:
    """The numbers that a parameter may be.

    Attributes:
        lowest: the smallest of them, or what all of them are above.
        highest: the largest.
        whole: whether they are whole numbers.
        above: whether `lowest` itself is none of them.
    """

    lowest: float
    highest: float = LARGEST_WHOLE
    whole: bool = True
    above: bool = False

    def __contains__(self, value: float) -> bool:
        """Whether a number is one of them."""
        return (self.lowest < value if self.above else self.lowest <= value) and value <= self.highest

    def __str__(self) -> str:
        """For example "a whole number from 32 to 1024"."""
        kind = "a whole number" if self.whole else "a number"
        lowest, highest = (int(end) if end == int(end) else end for end in (self.lowest, self.highest))
        if self.above:
            return f"{kind} above {lowest} and at most {highest}"
        return f"{kind} of at least {lowest}" if highest == LARGEST_WHOLE else f"{kind} from {lowest} to {highest}"

    def read(self, text: str) -> float:
        """A number of a command line, for argparse.

        Raises:
            ArgumentTypeError: it is none of them.
        """
        try:
            # Python's int() would take signs, spaces and underscores too.
            value = (int(text) if re.fullmatch(r"\d{1,9}", text) else None) if self.whole else float(text)
        except ValueError:
            value = None
        if value is None or value not in self:
            raise argparse.ArgumentTypeError(f"{text!r} is not {self}")
        return value


PRICE = Range(0, 1e6, whole=False)
FRACTION = Range(0, 1, whole=False)
RANGES = {
    "pneumoniamnist_size": Range(28, 224),
    "synthetic_images": Range(40),
    "synthetic_size": Range(32, 4096),
    "synthetic_difficulty": FRACTION,
    "data_seed": Range(0),
    "image_size": Range(32, 1024),
    "epochs": Range(1),
    "batch_size": Range(1),
    "learning_rate": Range(0, 0.999, whole=False, above=True),
    "trainable_layers": Range(0),
    "patience": Range(0),
    "target_sensitivity": FRACTION,
    "gpu_hour_price": PRICE,
    "cpu_hour_price": PRICE,
    "max_bad_fraction": FRACTION,
    "seed": Range(0),
    "seeds": Range(1),
}
"""By parameter."""

DEFAULTS = {
    "source": "synthetic",
    "path": "",
    "sha256": "",
    "pneumoniamnist_size": 128,
    "synthetic_images": 1200,
    "synthetic_size": 160,
    "synthetic_difficulty": 0.5,
    "data_seed": 1,
    "image_size": 96,
    "backbone": "MobileNetV2",
    "weights": "imagenet",
    "epochs": 20,
    "batch_size": 32,
    "learning_rate": 0.001,
    "trainable_layers": 10,
    "patience": 5,
    "target_sensitivity": 0.0,
    "gpu_hour_price": 0.0,
    "cpu_hour_price": 0.0,
    "max_bad_fraction": MAX_BAD_FRACTION,
    "deduplicate": False,
    "resplit": False,
    "report_images": True,
    "seed": 1,
    "seeds": 3,
}
"""Of all parameters, as `benchmark.build` declares them."""

LAYERS = {"MobileNetV2": 154, "MobileNetV2-0.5": 154, "EfficientNetB0": 237, "ResNet50": 175, "DenseNet121": 427}
"""How many layers each backbone has."""


def option(name: str) -> str:
    """A parameter as an option of `pipelines.local`."""
    return f"--{name.replace('_', '-')}"


def setting(name: str) -> str:
    """A parameter as an option of `pipelines.submit`."""
    return f"--set {name}="


def check(values: Mapping[str, Any], given: Collection[str], spell: Callable[[str], str]) -> None:
    """Finds mistakes that a step would find only later.

    Args:
        values: of parameters; what is not there has its default.
        given: the names of those that the user gave.
        spell: how the user writes a parameter, `option` or `setting`.

    Raises:
        UserError: a value cannot be used, alone or together with others, or has no effect beside them.
    """
    for name in RANGES.keys() & values.keys():
        if values[name] not in RANGES[name]:
            raise UserError(f"the parameter {name} is {values[name]!r}, but must be {RANGES[name]}")
    every = DEFAULTS | values
    _check_effects(every, given, spell)
    open_source(every["source"], every["path"], every["sha256"], every["pneumoniamnist_size"])
    backbone, weights = every["backbone"], every["weights"]
    if backbone not in BACKBONES:
        raise UserError(f"there is no backbone {backbone!r}: choose one of {', '.join(BACKBONES)}")
    if weights == "bundled" and not BUNDLED_BACKBONE.startswith(backbone):
        raise UserError(f"the bundled weights are not those of {backbone}: leave {spell('backbone')} out")
    if not weights:
        raise UserError(f"{spell('weights')} is empty: give imagenet, bundled, none or the path of a file")
    if every["trainable_layers"] > LAYERS[backbone]:
        raise UserError(
            f"{spell('trainable_layers')} is {every['trainable_layers']}, but {backbone} has {LAYERS[backbone]} "
            "layers: choose at most so many"
        )


def _check_effects(values: Mapping[str, Any], given: Collection[str], spell: Callable[[str], str]) -> None:
    """Refuses what has no effect with this source.

    Raises:
        UserError: it names the option that would be needed.
    """
    source, needed = values["source"], spell("source")
    if source not in SOURCES and not source.startswith(_URLS):
        return  # which `open_source` says
    gap = " " if needed.startswith("--source") else ""
    for name in sorted(given):
        needs = ""
        if name == "path" and values["path"] and source not in ("directory", "kaggle", "pneumoniamnist"):
            needs = f"{needed}{gap}directory (or kaggle, or pneumoniamnist)"
        elif name == "sha256" and values["sha256"] and not source.startswith(_ARCHIVES):
            needs = f"the archive's address, {needed}{gap}https://..."
        elif name.startswith("synthetic_") and source != "synthetic":
            needs = f"{needed}{gap}synthetic"
        elif name == "pneumoniamnist_size" and source != "pneumoniamnist":
            needs = f"{needed}{gap}pneumoniamnist"
        elif name == "pneumoniamnist_size" and values["path"]:
            raise UserError(f"{spell(name)} has no effect beside {spell('path')}: leave one of them out")
        if needs:
            raise UserError(
                f"{spell(name)} has no effect with the source {source!r}: it needs {needs}; or leave it out"
            )
