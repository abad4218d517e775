"""Runs train alone: python -m components.train."""

import argparse
from collections.abc import Sequence

from components import console, options, process
from components.artifacts.names import REGIMES
from components.parameters import TrainParameters, check_training, described


def main(words: Sequence[str] | None = None) -> None:
    """Reads the command line and trains."""
    process.prepare()
    parser = argparse.ArgumentParser(
        prog="python -m components.train",
        description="Trains one classifier of chest X-rays in one of four ways, once for each seed.",
        epilog="example: python -m components.train /tmp/prepared partial_fine_tuning --output /tmp/model --epochs 5 "
        "--tune-learning-rate 0.3 1 3 --tune-trainable-layers 5 10",
    )
    parser.add_argument("dataset", help="folder that preprocess wrote")
    parser.add_argument("regime", choices=REGIMES)
    parser.add_argument("--output", required=True, help="folder of the trained models, made anew")
    parser.add_argument(
        "--checkpoints",
        default="",
        metavar="PLACE",
        help="folder of checkpoints, or gs://bucket/prefix or s3://bucket/prefix: a training that was interrupted "
        "continues there; default: none",
    )
    options.add_options(parser, described(TrainParameters).items())
    values = vars(parser.parse_args(words))
    dataset, output, regime, checkpoints = (values.pop(name) for name in ("dataset", "output", "regime", "checkpoints"))
    with console.plain_errors():
        check_training(values, options.option)
        process.keep_freed_memory()
        from components.train.train import train  # noqa: PLC0415 (help and mistakes need not wait for TensorFlow)

        train(dataset, output, regime, TrainParameters(**values), checkpoints)


if __name__ == "__main__":
    main()
