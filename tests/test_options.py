"""Parameters as options of command lines, and what is found out about them before anything runs."""

import argparse
import subprocess
import sys
from pathlib import Path

import pytest

from components import options
from components.console import UserError
from components.parameters import PIPELINE, Parameter, Range, Several, TrainParameters, described


def check(given, spell=options.option):
    options.check(given, set(given), spell)


def parse(*words, step=TrainParameters):
    parser = argparse.ArgumentParser()
    options.add_options(parser, described(step).items())
    return parser.parse_args(words), options.given(parser, words)


def test_without_options_all_values_are_the_defaults():
    values, given = parse()
    assert vars(values) == {name: own.default for name, own in described(TrainParameters).items()}
    assert given == set()


def test_values_have_the_type_of_their_parameter():
    values, given = parse("--epochs", "7", "--learning-rate", "1e-4", "--weights", "none")
    assert (values.epochs, values.learning_rate, values.weights) == (7, 1e-4, "none")
    assert given == {"epochs", "learning_rate", "weights"}


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "1_0", "+1", "nan", "9999999999", "", "x"])
def test_a_value_that_is_not_allowed_is_refused_with_the_option(capsys, text):
    with pytest.raises(SystemExit, match="2"):
        parse(f"--epochs={text}")
    assert f"argument --epochs: {text!r} is not a whole number of at least 1" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["0", "1", "nan", "inf", "-inf"])
def test_a_learning_rate_is_between_0_and_1(capsys, text):
    with pytest.raises(SystemExit, match="2"):
        parse(f"--learning-rate={text}")
    assert "is not a number above 0 and at most 0.999" in capsys.readouterr().err


def test_an_option_that_is_no_parameter_may_have_a_range_too():
    assert options.number(Range(0))("8") == 8
    with pytest.raises(argparse.ArgumentTypeError, match=r"'1\.5' is not a whole number of at least 0"):
        options.number(Range(0))("1.5")


def test_words_give_the_same_values_again():
    values = {"source": "directory", "path": "/x y", "epochs": 3, "learning_rate": 0.25, "report_images": False}
    parser = argparse.ArgumentParser()
    options.add_options(parser, PIPELINE.items())
    every = vars(parser.parse_args(options.words(values)))
    assert every == {name: own.default for name, own in PIPELINE.items()} | values
    assert options.words({"path": "", "sha256": None, "deduplicate": False, "report_images": True}) == []


def test_the_page_of_parameters_is_up_to_date():
    page = Path(__file__).parents[1] / "docs" / "options.md"
    assert page.read_text(encoding="utf-8") == options.table(), "run: python -m components.options > docs/options.md"


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
        check(given, options.setting)


def test_what_has_an_effect_is_taken():
    check({"source": "directory", "path": "/data"})
    check({"source": "kaggle", "path": "someone/something"})
    check({"source": "pneumoniamnist", "pneumoniamnist_size": 28})
    check({"source": "https://example.org/x.zip", "sha256": "0" * 64})
    check({"synthetic_images": 50, "synthetic_size": 64, "synthetic_difficulty": 0.1})
    check({"backbone": "ResNet50", "trainable_layers": 175, "weights": "none"})
    check({"backbone": "ResNet50", "tune_trainable_layers": "0 5 175", "tune_learning_rate": "0.3 1 3"})
    check({"prevalence": 0.1, "harm_ratio": 4.0})
    check({"prevalence": 0.1})


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"source": "magic"}, "there is no source 'magic'"),
        ({"backbone": "VGG"}, "the parameter backbone is 'VGG', but must be one of MobileNetV2"),
        ({"backbone": "ResNet50", "weights": "bundled"}, "the bundled weights are not those of ResNet50"),
        ({"backbone": "ResNet50", "trainable_layers": 176}, "trainable-layers is 176, but ResNet50 has 175"),
        (
            {"backbone": "ResNet50", "tune_trainable_layers": "5 176"},
            "tune-trainable-layers is 176, but ResNet50 has 175 layers: choose at most that many",
        ),
        (
            {"learning_rate": 0.1, "tune_learning_rate": "1 20"},
            "tune-learning-rate has 20, with which the learning rate is 2, but it must be a number above 0 and at most",
        ),
        ({"tune_learning_rate": "3 1"}, "tune_learning_rate is '3 1', but must be each a number from 0.01 to 100"),
        ({"tune_trainable_layers": "5 1.5"}, "tune_trainable_layers is '5 1.5', but must be each a whole number"),
        (
            {"source": "pneumoniamnist", "pneumoniamnist_size": 100},
            "pneumoniamnist_size is 100, but must be one of 28, 64",
        ),
        ({"source": "directory"}, "needs a folder"),
        ({"harm_ratio": 4.0}, "harm-ratio has no effect without a prevalence: give --prevalence too"),
        ({"prevalence": 1.0}, "the parameter prevalence is 1.0, but must be a number from 0 to 0.999"),
    ],
)
def test_what_does_not_fit_together_is_refused(given, message):
    with pytest.raises(UserError, match=message):
        check(given)


def test_the_check_needs_no_tensorflow():
    code = "from components import options; options.check({}, (), options.option)"
    code = f"import sys; {code}; print('keras' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def _read_several(words: list[str], usual: str = "50 100") -> str:
    parser = argparse.ArgumentParser(exit_on_error=False)
    own = Parameter("sizes", str, "", "sizes to try", Several(Range(1, 400), usual), "N", "sizes", "")
    options.add_options(parser, [("sizes", own)])
    return parser.parse_args(words).sizes


def test_an_option_may_have_several_numbers():
    assert _read_several([]) == ""
    assert _read_several(["--sizes"]) == "50 100"
    assert _read_several(["--sizes", "2", "30", "400"]) == "2 30 400"


@pytest.mark.parametrize("text", ["0", "3 2", "2 2", "1 401", "1.5", "-1", "x", "1e1", "1,2", "inf"])
def test_several_numbers_are_checked_one_by_one_and_in_their_order(text):
    with pytest.raises(argparse.ArgumentError, match="each a whole number from 1 to 400, ascending"):
        _read_several(["--sizes", *text.split()])
    assert text not in Several(Range(1, 400))


def test_an_option_needs_a_number_where_none_is_usual():
    with pytest.raises(argparse.ArgumentError, match="expected at least one argument"):
        _read_several(["--sizes"], usual="")
    assert Several(Range(0, 9, whole=False)).read("0.3 1 3") == [0.3, 1, 3]
    assert 3 not in Several(Range(0, 9))
    assert "" in Several(Range(0, 9))
    assert " " not in Several(Range(0, 9))
