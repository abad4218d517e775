"""Runs evaluate alone: python -m components.evaluate."""

import argparse
from collections.abc import Sequence

from components import console, options, process
from components.evaluate.failures import passed_on
from components.parameters import BaselineParameters, EvaluateParameters, described


def main(words: Sequence[str] | None = None) -> None:
    """Reads the command line and scores the models."""
    process.prepare()
    parser = argparse.ArgumentParser(
        prog="python -m components.evaluate",
        description="Scores the trained models of one regime on validation and test of a prepared dataset.",
        epilog="""examples:
  python -m components.evaluate /tmp/prepared /tmp/model --output /tmp/evaluation
  python -m components.evaluate /tmp/prepared --output /tmp/baseline
      the baseline: a logistic regression on thumbnails, fitted to the training split""",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("dataset", help="folder that preprocess wrote")
    parser.add_argument(
        "model", nargs="?", help="folder that train wrote; without it the baseline is fitted and scored"
    )
    parser.add_argument("--output", required=True, help="folder of the evaluation, made anew")
    parser.add_argument(
        "--external-test",
        dest="external",
        metavar="DATASET",
        help="folder of a prepared external test set, of other patients; all of its images are scored too",
    )
    options.add_options(parser, described(EvaluateParameters).items())
    values = vars(parser.parse_args(words))
    dataset, model, output, external = (values.pop(name) for name in ("dataset", "model", "output", "external"))
    with console.plain_errors():
        if model is None:
            from components.evaluate.baseline import evaluate_floor  # noqa: PLC0415 (help need not wait for scikit-learn)

            baseline = BaselineParameters(target_sensitivity=values["target_sensitivity"])
            evaluate_floor(dataset, output, baseline, external)
        elif not passed_on(model, output):
            from components.evaluate.evaluate import evaluate  # noqa: PLC0415 (nor for TensorFlow)

            evaluate(dataset, model, output, EvaluateParameters(**values), external)


if __name__ == "__main__":
    main()
