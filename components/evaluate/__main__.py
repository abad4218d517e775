"""Runs evaluate alone: python -m components.evaluate."""

import argparse
from collections.abc import Sequence

from components import console, process


def main(words: Sequence[str] | None = None) -> None:
    """Reads the command line and scores the model."""
    process.prepare()
    parser = argparse.ArgumentParser(
        prog="python -m components.evaluate",
        description="Scores the trained models of one regime on validation and test of a prepared dataset.",
        epilog="""examples:
  python -m components.evaluate /tmp/prepared /tmp/model --output /tmp/evaluation
  python -m components.evaluate /tmp/prepared --output /tmp/floor
      the floor: a logistic regression on thumbnails, fitted on the spot""",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("dataset", help="folder that preprocess wrote")
    parser.add_argument("model", nargs="?", help="folder that train wrote; without it the floor is fitted and scored")
    parser.add_argument("--output", required=True, help="folder of the evaluation, made anew")
    parser.add_argument(
        "--target-sensitivity",
        type=float,
        default=0.0,
        metavar="X",
        help="the threshold is the highest that reaches it on validation; default: Youden's J decides",
    )
    parser.add_argument(
        "--external-test",
        dest="external",
        metavar="DATASET",
        help="folder of a second prepared dataset, from another hospital; all of its images are scored too",
    )
    parser.add_argument(
        "--no-report-images",
        dest="report_images",
        action="store_false",
        help="keep no small test images for the report",
    )
    given = vars(parser.parse_args(words))
    model, report_images = given.pop("model"), given.pop("report_images")
    with console.plain_errors():
        if model is None:
            from components.evaluate.baseline import evaluate_floor  # noqa: PLC0415 (help need not wait for scikit-learn)

            evaluate_floor(**given)
        else:
            from components.evaluate.evaluate import evaluate  # noqa: PLC0415 (nor for TensorFlow)

            evaluate(models=model, report_images=report_images, **given)


if __name__ == "__main__":
    main()
