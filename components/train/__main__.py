"""Runs train alone: python -m components.train."""

import argparse

from components import console, process
from components.artifacts.names import BACKBONES, REGIMES


def main() -> None:
    """Reads the command line and trains."""
    process.prepare()
    parser = argparse.ArgumentParser(
        prog="python -m components.train",
        description="Trains one classifier of chest X-rays in one of four ways, once for each seed.",
        epilog="example: python -m components.train /tmp/prepared full_fine_tuning --output /tmp/model --epochs 5",
    )
    parser.add_argument("dataset", help="folder that preprocess wrote")
    parser.add_argument("regime", choices=REGIMES)
    parser.add_argument("--output", required=True, help="folder of the trained models, made anew")
    parser.add_argument("--backbone", choices=BACKBONES, default="MobileNetV2", help="default: %(default)s")
    parser.add_argument("--weights", default="imagenet", help="imagenet, bundled, none or a file; default: %(default)s")
    parser.add_argument("--epochs", type=int, default=20, help="at most; default: %(default)s")
    parser.add_argument("--batch-size", type=int, default=32, help="default: %(default)s")
    parser.add_argument("--learning-rate", type=float, default=1e-3, help="default: %(default)s")
    parser.add_argument("--trainable-layers", type=int, default=10, help="of partial fine-tuning; default: %(default)s")
    parser.add_argument("--patience", type=int, default=5, help="0 trains all epochs; default: %(default)s")
    parser.add_argument("--seed", type=int, default=1, help="the first seed; default: %(default)s")
    parser.add_argument("--seeds", type=int, default=3, help="how many; default: %(default)s")
    arguments = parser.parse_args()
    process.keep_freed_memory()
    from components.train.train import train  # noqa: PLC0415 (help and mistakes need not wait for TensorFlow)

    with console.plain_errors():
        train(**vars(arguments))


if __name__ == "__main__":
    main()
