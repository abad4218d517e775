"""What is known of parameters before anything runs, against what the steps say and what the pipeline declares."""

import subprocess
import sys

import pytest

from components.console import UserError
from components.ingest import synthetic
from components.ingest.sources.pneumoniamnist import CHECKSUMS
from components.preprocess import preprocess
from components.train import backbones
from components.train.recipe import Recipe
from pipelines import benchmark, limits
from pipelines.settings import Settings


def check(given, spell=limits.option):
    limits.check(given, set(given), spell)


def test_ranges_and_defaults_are_the_pipelines():
    inputs = benchmark.build(Settings()).component_spec.inputs
    assert {name: spec.default for name, spec in inputs.items()} == limits.DEFAULTS
    numbers = {name for name, spec in inputs.items() if spec.type in ("Integer", "Float")}
    assert limits.RANGES.keys() == numbers
    for name, allowed in limits.RANGES.items():
        assert limits.DEFAULTS[name] in allowed
        assert allowed.whole == (inputs[name].type == "Integer")


def test_ranges_are_the_steps():
    sizes = limits.RANGES["image_size"]
    assert (sizes.lowest, sizes.highest) == (preprocess.SMALLEST_SIZE, preprocess.LARGEST_SIZE)
    assert limits.RANGES["synthetic_images"].lowest == synthetic.MIN_IMAGES
    assert (limits.RANGES["synthetic_size"].lowest, limits.RANGES["synthetic_size"].highest) == (
        synthetic.MIN_SIZE,
        synthetic.MAX_SIZE,
    )
    assert limits.RANGES["data_seed"].highest <= preprocess.LARGEST_SEED
    sides = limits.RANGES["pneumoniamnist_size"]
    assert (sides.lowest, sides.highest) == (min(CHECKSUMS), max(CHECKSUMS))
    for rate in (1e-9, limits.RANGES["learning_rate"].highest):
        Recipe(epochs=1, batch_size=1, learning_rate=rate, patience=0)


@pytest.mark.slow
@pytest.mark.parametrize("backbone", limits.LAYERS)
def test_each_backbone_has_as_many_layers_as_are_allowed(backbone):
    assert len(backbones.build_backbone(backbone, "none", 32).model.layers) == limits.LAYERS[backbone]


@pytest.mark.parametrize("name", limits.RANGES)
def test_a_value_out_of_range_is_refused_with_the_range(name):
    allowed = limits.RANGES[name]
    for value in (allowed.lowest - 1, allowed.highest + 1, float("nan")):
        with pytest.raises(UserError, match=f"the parameter {name} is .*, but must be {allowed}"):
            limits.check({name: value}, (), limits.setting)


@pytest.mark.parametrize(
    ("given", "needed"),
    [
        ({"path": "/data"}, "--set source=directory"),
        ({"source": "s3://bucket/x", "path": "/data"}, "--set source=directory"),
        ({"source": "directory", "path": "/data", "synthetic_images": 50}, "--set source=synthetic"),
        ({"source": "kaggle", "pneumoniamnist_size": 28}, "--set source=pneumoniamnist"),
        ({"source": "kaggle", "sha256": "0" * 64}, "the archive's address, --set source=https://"),
    ],
)
def test_a_parameter_without_effect_is_refused_with_the_one_that_it_needs(given, needed):
    with pytest.raises(UserError, match=f"has no effect with the source .*: it needs {needed}"):
        check(given, limits.setting)


def test_what_has_an_effect_is_taken():
    check({"source": "directory", "path": "/data"})
    check({"source": "kaggle", "path": "someone/something"})
    check({"source": "pneumoniamnist", "pneumoniamnist_size": 28})
    check({"source": "https://example.org/x.zip", "sha256": "0" * 64})
    check({"synthetic_images": 50, "synthetic_size": 64, "synthetic_difficulty": 0.1})
    check({"backbone": "ResNet50", "trainable_layers": 175, "weights": "none"})


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"source": "magic", "path": "x"}, "there is no source 'magic'"),
        ({"backbone": "VGG"}, "there is no backbone 'VGG': choose one of MobileNetV2"),
        ({"backbone": "ResNet50", "weights": "bundled"}, "the bundled weights are not those of ResNet50"),
        ({"backbone": "ResNet50", "trainable_layers": 176}, "trainable-layers is 176, but ResNet50 has 175"),
        ({"source": "pneumoniamnist", "pneumoniamnist_size": 100}, "there is no PneumoniaMNIST at 100 px"),
        ({"source": "directory"}, "needs a folder"),
    ],
)
def test_what_does_not_fit_together_is_refused(given, message):
    with pytest.raises(UserError, match=message):
        check(given)


def test_the_check_needs_no_tensorflow():
    code = (
        "import sys; from pipelines import limits; limits.check({}, (), limits.option); print('keras' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
