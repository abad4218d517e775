"""Runs train alone: python -m components.train."""

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

from components import console, options, process
from components.artifacts.names import REGIMES
from components.console import UserError
from components.parameters import LabelBudgetParameters, TrainParameters, check_training, described

EXAMPLES = """examples:
  python -m components.train /tmp/prepared full_fine_tuning --output /tmp/model --epochs 5
      the models of one regime
  python -m components.train /tmp/prepared partial_fine_tuning --output /tmp/model --tune-learning-rate 0.3 1 3
      the best of three learning rates, for each seed
  python -m components.train /tmp/prepared transfer_learning --output /tmp/budgets --label-budgets 50 100 200 --draws 5
      no models, but the scores of the test images by trainings on so many labelled patients"""

PLACES = ("dataset", "output", "regime", "checkpoints", "external_test")

BUDGETS_ALONE = {own.pipeline_name: own for own in described(LabelBudgetParameters).values()}
"""The parameters of the trainings with label budgets, by the names of their options."""


def main(words: Sequence[str] | None = None) -> None:
    """Reads the command line and trains."""
    process.prepare()
    parser = _parser()
    values, given = vars(parser.parse_args(words)), options.given(parser, words)
    places = {name: values.pop(name) for name in PLACES}
    external = places.pop("external_test")
    with console.plain_errors():
        _check(values, given)
        process.keep_freed_memory()
        # Help and mistakes need not wait for TensorFlow.
        if "label_budgets" in given:
            from components.train.label_budgets import train_budgets  # noqa: PLC0415

            own = {parameter.name: values[name] for name, parameter in BUDGETS_ALONE.items()}
            train_budgets(parameters=LabelBudgetParameters(**own), external=external, **places)
        else:
            from components.train.train import train  # noqa: PLC0415

            train(parameters=TrainParameters(**{name: values[name] for name in described(TrainParameters)}), **places)


def _check(values: Mapping[str, Any], given: set[str]) -> None:
    check_training(values, options.option)
    if "label_budgets" in given and "seeds" in given:
        raise UserError("--seeds has no effect beside --label-budgets: give --draws, each of which has its own seed")
    searched = {"tune_learning_rate", "tune_trainable_layers"} & given
    if "label_budgets" in given and searched:
        raise UserError(f"{options.option(min(searched))} has no effect beside --label-budgets: leave it out")
    own = {"external_test", *(BUDGETS_ALONE.keys() - described(TrainParameters).keys())}
    if "label_budgets" not in given and (without := sorted(given & own)):
        raise UserError(f"{options.option(without[0])} has no effect without --label-budgets: leave it out")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m components.train",
        description="Trains one classifier of chest X-rays in one of four ways, once for each seed.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("dataset", help="folder that preprocess wrote")
    parser.add_argument("regime", choices=REGIMES)
    parser.add_argument("--output", required=True, help="folder of the result, made anew")
    parser.add_argument(
        "--checkpoints",
        default="",
        metavar="PLACE",
        help="folder of checkpoints, or gs://bucket/prefix or s3://bucket/prefix: a training that was interrupted "
        "continues there; default: none",
    )
    parser.add_argument(
        "--external-test",
        metavar="DATASET",
        help="with --label-budgets: a second prepared dataset, which is scored too",
    )
    options.add_options(parser, (described(TrainParameters) | BUDGETS_ALONE).items())
    return parser


if __name__ == "__main__":
    main()
