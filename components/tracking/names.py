"""Names of what a recorded run has in MLflow: its experiment, tags, artifacts and aliases.

The prefix keeps the tags apart from those of other programs. Kubeflow Pipelines' own plugin for MLflow makes runs
of its own, with tags of its own.
"""

import re

from components.console import UserError

EXPERIMENT = "pneumonia-benchmark"
"""The experiment of all recorded runs."""

PREFIX = "pneumonia_benchmark."

KEY = f"{PREFIX}key"
"""What tells runs apart: the same run has the same key, however often it is recorded."""
KIND = f"{PREFIX}kind"
"""`BENCHMARK` or `MODEL`."""
CONTENT = f"{PREFIX}content"
"""SHA-256 of the run's `results.json`; set last, so that a run without it is not completely recorded."""
RECORDING = f"{PREFIX}recording"
"""The same for all runs that one recording makes, and no others: it finds what a lost answer made it create twice."""
BEGUN = f"{PREFIX}begun"
"""When the recording began (ISO 8601 in UTC)."""
RUN = f"{PREFIX}run"
"""The name of the run."""
STARTED, FINISHED = f"{PREFIX}started", f"{PREFIX}finished"
"""Of its first and last step (ISO 8601 in UTC)."""
DATASET = f"{PREFIX}dataset"
"""Fingerprint of the prepared dataset."""
SOURCE = f"{PREFIX}source"
"""Where the images are from, in words."""
CODE = f"{PREFIX}code"
"""Version of this project and, where images are known by it, a hash of the code in each."""
DATA_IMAGE, TRAIN_IMAGE = f"{PREFIX}data_image", f"{PREFIX}train_image"
RECIPE = f"{PREFIX}recipe"
"""SHA-256 of everything that the training was asked for but its seed; of a benchmark, of all its regimes."""
HARDWARE = f"{PREFIX}hardware"
"""Processor, number of cores and GPU of the training, by which times may be compared."""
FAILED = f"{PREFIX}failed"
"""JSON {regime: reason} of the trainings that failed; missing without any."""
REGIME, SEED = f"{PREFIX}regime", f"{PREFIX}seed"
PROMOTED = f"{PREFIX}promoted"
"""When a run was made the champion of its dataset (ISO 8601 in UTC). The latest of a dataset is its champion, so that
one write changes the champion, and the former ones can still be seen."""
ACCEPTED = f"{PREFIX}accepted"
"""When a person made the run a champion (ISO 8601 in UTC), and so accepted its quality and costs as they are."""
ALARMS = f"{PREFIX}alarms"
"""JSON [[chart, regime], ...] of the alarms of the gate; set last, so that a run without it has no verdict yet."""
SUSPECTED = f"{PREFIX}suspected"
"""JSON [[chart, regime], ...] of the alarms that wait for a confirming run, among them or not; missing without any."""
TOLD = f"{PREFIX}told"
"""JSON [[chart, regime], ...] of the alarms that people were told of, in this run or before, and not of their end."""
REGISTERED, VERSION = f"{PREFIX}registered", f"{PREFIX}registered_version"
"""Name and version of the run's model in the registry."""

BENCHMARK, MODEL = "benchmark", "model"
PARENT = "mlflow.parentRunId"

CHAMPION, CHALLENGER = "champion", "challenger"
"""Aliases in the registry."""

COMPARISON = "comparison"
"""Folder of the artifacts of a benchmark."""
VERDICT = "verdict.json"
"""What the gate found, in that folder."""
MODEL_FOLDER = "model"
"""Folder of the artifacts of a model that is registered."""

NOT_REGISTERED = "recorded, but not registered"
"""How the message begins where registering has failed."""


REGRESSION = "regression: "
"""How each message begins with which a recording fails after an alarm; `submit run --wait` looks for it."""
REGRESSION_CODE = 4
"""Exit code of commands after an alarm that fails the run."""
SUSPICION = "suspected, and not confirmed yet: "
"""How each message begins of an alarm that waits for a confirming run; likewise."""

RUNS_PER_YEAR = 52.0
"""The default of the number of runs that share the false alarms of a year."""
MOST_RUNS_PER_YEAR = 8784
"""One an hour."""
ON_REGRESSION = ("warn", "fail")
"""What an alarm does to a run; the first is the default."""

NOTIFY_VARIABLE = "PNEUMONIA_BENCHMARK_NOTIFY_URL"
"""The environment variable with the address to which alarms are posted; a secret."""


def check_registered(name: str) -> None:
    """Checks the name of a model in the registry before anything runs.

    Args:
        name: "" for none.

    Raises:
        UserError: MLflow takes no such name, or cannot search for it.
    """
    if re.search(r"[/:'\s]", name):
        raise UserError(f"--register {name!r} is not understood: give a name without / : ' and blanks")


def check_runs_per_year(number: float) -> None:
    """Checks the number of runs a year that the gate is told.

    Raises:
        UserError: the year's false alarms cannot be shared by it.
    """
    if not 1 <= number <= MOST_RUNS_PER_YEAR:
        raise UserError(
            f"--runs-per-year {number:g} is not understood: give a number from 1 to {MOST_RUNS_PER_YEAR}, 52 for a run "
            "a week"
        )
