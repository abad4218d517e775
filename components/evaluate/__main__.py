"""Runs evaluate alone: python -m components.evaluate."""

import argparse

from components import console


def main() -> None:
    """Reads the command line and scores the model."""
    parser = argparse.ArgumentParser(
        prog="python -m components.evaluate",
        description="Scores one trained model on the validation and the test split of a prepared dataset.",
        epilog="example: python -m components.evaluate /tmp/prepared /tmp/model --output /tmp/evaluation",
    )
    parser.add_argument("dataset", help="folder that preprocess wrote")
    parser.add_argument("model", help="folder that train wrote")
    parser.add_argument("--output", required=True, help="folder of the evaluation, made anew")
    arguments = parser.parse_args()
    from components.evaluate.evaluate import evaluate  # noqa: PLC0415 (help need not wait for TensorFlow)

    with console.plain_errors():
        evaluate(**vars(arguments))


if __name__ == "__main__":
    main()
