"""What checkpoints cost: trains with and without them in turn, python -m benchmarks.checkpoints."""

import argparse
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import measure
from components import console
from components.artifacts import trained_model
from components.artifacts.names import REGIMES
from components.console import UserError

EXAMPLES = """examples:
  python -m benchmarks.checkpoints /tmp/prepared --json checkpoints.json
  python -m benchmarks.checkpoints /tmp/prepared --regimes full_fine_tuning --repetitions 5 --train="--epochs 3"
"""


def main(words: Sequence[str] | None = None) -> None:
    """Reads the command line, trains, prints the times side by side."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.checkpoints",
        description="Measures how much longer a training takes with checkpoints.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("dataset", type=Path, help="folder that preprocess wrote")
    parser.add_argument("--regimes", nargs="+", choices=REGIMES, default=list(REGIMES), metavar="NAME")
    parser.add_argument("--repetitions", type=int, default=3, metavar="N", help="of each; default: %(default)s")
    parser.add_argument("--train", default="", metavar="OPTIONS", help='of every training, for example "--epochs 3"')
    parser.add_argument("--json", type=Path, metavar="FILE", help="file for the results")
    arguments = parser.parse_args(words)
    with console.plain_errors():
        if arguments.repetitions < 1:
            raise UserError(f"--repetitions is {arguments.repetitions}: give 1 or more")
        options = arguments.train.split()
        regimes = {
            name: compared(arguments.dataset, name, options, arguments.repetitions) for name in arguments.regimes
        }
        result = {
            "benchmark": "checkpoints",
            "repetitions": arguments.repetitions,
            "train": options,
            "regimes": regimes,
        }
        if arguments.json:
            measure.write_json(arguments.json, result)
    print(f"\n{table(regimes)}\n\n{measure.describe(measure.machine())}")


def compared(dataset: Path, regime: str, options: Sequence[str], repetitions: int) -> dict[str, Any]:
    """Trains one regime with and without checkpoints in turn, each time in a new process and a new folder.

    Returns:
        What `--json` writes for each regime, see benchmarks/README.md.
    """
    whole: dict[str, list[float]] = {"without": [], "with": []}
    training: list[float] = []
    saving: list[float] = []
    for _ in range(repetitions):
        for kind, seconds in whole.items():
            with tempfile.TemporaryDirectory(prefix="checkpoints-") as folder:
                output = Path(folder) / "model"
                more: list[measure.Word] = ["--checkpoints", Path(folder) / "checkpoints"] if kind == "with" else []
                command: list[measure.Word] = [
                    "-m",
                    "components.train",
                    dataset,
                    regime,
                    "--output",
                    output,
                    *options,
                    *more,
                ]
                seconds.append(measure.run(command).seconds)
                records = [model.training for model in trained_model.load_all(output)]
            if kind == "with":
                training.append(sum(record["cost"]["train_seconds"] for record in records))
                saving.append(sum(record.get("checkpoint_seconds", 0.0) for record in records))
    found = {
        "without_seconds": whole["without"],
        "with_seconds": whole["with"],
        "train_seconds": training,
        "checkpoint_seconds": saving,
        "share": statistics.median(saved / trained for saved, trained in zip(saving, training, strict=True)),
    }
    console.say("checkpoints", f"{regime}: {found['share']:.2%} of the training time")
    return found


def table(regimes: dict[str, dict[str, Any]]) -> str:
    """The medians as a text table."""
    header = ["regime", "process without, s", "with, s", "training, s", "saving, s", "saving / training"]
    names = ("without_seconds", "with_seconds", "train_seconds", "checkpoint_seconds")
    rows = [
        [regime, *(f"{statistics.median(found[name]):.2f}" for name in names), f"{found['share']:.2%}"]
        for regime, found in regimes.items()
    ]
    return measure.table(header, rows)


if __name__ == "__main__":
    main()
