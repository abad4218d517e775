"""The command that repeats a run, assembled from the arguments that each artifact records."""

import shlex
from typing import Any

from components.artifacts.comparison import ComparisonRecord
from components.compare.inputs import Inputs

OPTIONS = (
    *(
        "source",
        "path",
        "sha256",
        "pneumoniamnist_size",
        "synthetic_images",
        "synthetic_size",
        "synthetic_difficulty",
        "max_bad_fraction",
    ),
    *("deduplicate", "resplit", "image_size", "backbone", "weights", "epochs", "patience", "batch_size"),
    *("learning_rate", "trainable_layers", "target_sensitivity", "gpu_hour_price", "cpu_hour_price"),
)
"""Arguments of the steps that are options of `python -m pipelines.local` under the same name."""

OF_ONE_SOURCE = {
    **dict.fromkeys(("synthetic_images", "synthetic_size", "synthetic_difficulty"), "synthetic"),
    "pneumoniamnist_size": "pneumoniamnist",
}
"""Options that apply to one source only."""


def command(inputs: Inputs, results: ComparisonRecord) -> str:
    """The command line of a local run with the same data, settings and seeds; empty where it is not known.

    Every option is written out, so that a later version with other defaults does the same.

    Args:
        inputs: their artifacts record the arguments of each step.
        results: content of `results.json`.
    """
    info = inputs.dataset.info
    seeds = results["run"]["seeds"]
    if not info.get("ingest") or seeds != list(range(seeds[0], seeds[0] + len(seeds))):
        return ""
    first = inputs.models[0].record
    steps = (info["ingest"], info["made_by"], first["training"]["made_by"], first["made_by"], results["made_by"])
    given = {name: value for step in steps for name, value in step["arguments"].items()}
    words = ["python", "-m", "pipelines.local"]
    if given["source"] == "pneumoniamnist" and given.get("path"):
        # The file determines it, and the local runner refuses options without effect.
        given.pop("pneumoniamnist_size", None)
    for name in OPTIONS:
        if OF_ONE_SOURCE.get(name, given["source"]) == given["source"]:
            words += _option(name, given.get(name))
    if "external" in results:
        words += ["--external-test", "PATH"]
    words += ["--data-seed", str(info["ingest"]["arguments"]["seed"])]
    words += ["--seeds", str(len(seeds)), "--seed", str(seeds[0]), "--regimes", *results["regimes"]]
    return shlex.join(words)


def _option(name: str, value: Any) -> list[str]:
    """The words of one option; none for an option that was not given."""
    if value is None or value is False or value == "":
        return []
    option = f"--{name.replace('_', '-')}"
    return [option] if value is True else [option, f"{value:g}" if isinstance(value, float) else str(value)]
