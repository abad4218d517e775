"""Parameters: their allowed values, and what the pipeline and the steps make of them."""

import pytest

from components import parameters
from components.console import UserError
from components.ingest import synthetic
from components.ingest.sources.pneumoniamnist import CHECKSUMS
from components.parameters import PIPELINE, STEPS, OneOf, Range, described
from components.train import backbones
from components.train.recipe import Recipe
from pipelines import benchmark
from pipelines.settings import Settings


def test_the_pipeline_has_an_input_for_each_parameter_with_its_type_and_default():
    inputs = benchmark.build(Settings()).component_spec.inputs
    types = {str: "String", int: "Integer", float: "Float", bool: "Boolean"}
    assert {name: (spec.type, spec.default, spec.description) for name, spec in inputs.items()} == {
        name: (types[own.kind], own.default, f"{own.description}.") for name, own in PIPELINE.items()
    }


@pytest.mark.parametrize("name", PIPELINE)
def test_each_default_is_allowed_and_has_the_type_of_the_parameter(name):
    own = PIPELINE[name]
    own.check(own.default)
    assert type(own.default) is own.kind
    if isinstance(own.allowed, Range):
        assert own.allowed.whole == (own.kind is int)


def test_ranges_are_those_of_the_steps():
    assert PIPELINE["synthetic_images"].allowed.lowest == synthetic.MIN_IMAGES
    sizes = PIPELINE["synthetic_size"].allowed
    assert (sizes.lowest, sizes.highest) == (synthetic.MIN_SIZE, synthetic.MAX_SIZE)
    assert PIPELINE["pneumoniamnist_size"].allowed.values == tuple(CHECKSUMS)
    for rate in (1e-9, PIPELINE["learning_rate"].allowed.highest):
        Recipe(epochs=1, batch_size=1, learning_rate=rate, patience=0)


@pytest.mark.slow
@pytest.mark.parametrize("backbone", parameters.BACKBONE_LAYERS)
def test_each_backbone_has_the_number_of_layers_that_is_stated(backbone):
    model = backbones.build_backbone(backbone, "none", 32).model
    assert len(model.layers) == parameters.BACKBONE_LAYERS[backbone]


@pytest.mark.parametrize(
    ("step", "name"),
    [(step, name) for step in STEPS for name, own in described(step).items() if isinstance(own.allowed, Range)],
)
def test_a_value_out_of_range_is_refused_with_the_range(step, name):
    own = described(step)[name]
    for value in (own.allowed.lowest - 1, own.allowed.highest + 1, float("nan"), float("inf")):
        with pytest.raises(UserError, match=f"the parameter {own.pipeline_name} is .*, but must be {own.allowed}"):
            step(**{name: value})


@pytest.mark.parametrize(
    ("allowed", "text"),
    [
        (Range(0), "a whole number of at least 0"),
        (Range(32, 64), "a whole number from 32 to 64"),
        (Range(0, 0.5, whole=False), "a number from 0 to 0.5"),
        (Range(0, 1, whole=False, above=True), "a number above 0 and at most 1"),
        (OneOf(("a", "b")), "one of a, b"),
    ],
)
def test_allowed_values_are_told_in_words(allowed, text):
    assert str(allowed) == text


def test_a_range_holds_its_ends_and_no_other_kind_of_value():
    assert all(value in Range(1, 3) for value in (1, 2, 3, 3.0))
    assert not any(value in Range(1, 3) for value in (0, 4, 1.5, True, "2", None))
    assert 0 not in Range(0, 1, whole=False, above=True)


def test_parameters_that_steps_share_are_one_parameter_of_the_pipeline():
    names = [own.pipeline_name for step in STEPS for own in described(step).values()]
    shared = {name for name in names if names.count(name) > 1}
    assert shared == {"data_seed", "max_bad_fraction", "report_images"}
    values = {name: number for number, name in enumerate(PIPELINE)}
    taken = parameters.values_of(parameters.IngestParameters, values)
    assert taken["seed"] == values["data_seed"] != values["seed"]
