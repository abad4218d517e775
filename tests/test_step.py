"""A step's container finds the step, and notices another version of it."""

import inspect
import os
import subprocess
import sys

import pytest

from components.parameters import BaselineParameters
from components.step import interface, load, taking_each

MODULE = "components.train.component"


def test_the_function_behind_a_component_is_found():
    from components.train.component import train  # noqa: PLC0415

    assert load(MODULE, "train", interface(train.python_func)) is train.python_func


def test_an_image_with_another_version_of_the_step_is_one_sentence(capsys):
    with pytest.raises(SystemExit, match="2"):
        load(MODULE, "train", "000000")
    assert "error: the image has another version of the step train than the pipeline was compiled with: build the" in (
        capsys.readouterr().err
    )


def test_an_interface_is_the_names_of_the_parameters():
    def one(a: int, b: str = "x"):
        return a, b

    def same(a: str, b: str = "y"):
        return b, a

    def other(a: int):
        return a

    assert interface(one) == interface(same) != interface(other)
    assert len(interface(one)) == 6


@pytest.mark.parametrize("step", ["ingest", "preprocess", "train", "evaluate", "compare", "check", "record"])
def test_in_a_container_kfp_has_no_compiler_and_the_function_is_plain(step):
    code = f"from components.{step}.component import {step}; print(type({step}).__name__)"
    environment = os.environ | {"_KFP_RUNTIME": "true"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert done.stdout == "function\n", done.stderr


def scored(folder: str, parameters: BaselineParameters, external: str = ""):
    """Scores.

    Args:
        folder: of the images.
        external: of others.
    """
    return folder, parameters, external


def test_a_function_takes_each_parameter_in_place_of_the_object():
    taking = taking_each(scored)
    assert str(inspect.signature(taking)) == "(folder: str, target_sensitivity: float = 0.0, external: str = '')"
    assert taking(folder="a", target_sensitivity=0.5) == ("a", BaselineParameters(target_sensitivity=0.5), "")
    assert taking(folder="a", external="b") == ("a", BaselineParameters(), "b")
    assert "\n    target_sensitivity: the threshold is" in taking.__doc__
    assert (taking.__name__, taking.__module__) == ("scored", __name__)


def test_a_value_that_is_not_allowed_ends_the_step_with_one_sentence(capsys):
    with pytest.raises(SystemExit, match="2"):
        taking_each(scored)(folder="a", target_sensitivity=1.5)
    assert "error: the parameter target_sensitivity is 1.5, but must be a number from 0 to 1" in capsys.readouterr().err


def test_a_function_without_parameters_stays_as_it_is():
    assert taking_each(interface) is interface
