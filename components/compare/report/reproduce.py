"""The command that repeats a run, assembled from the arguments that each artifact records."""

import shlex

from components import options
from components.artifacts import label_budget_results, trained_model
from components.artifacts.comparison import ComparisonRecord
from components.artifacts.names import REGIMES
from components.compare.inputs import Inputs
from components.parameters import PIPELINE, STEPS, TrainParameters, recorded


def command(inputs: Inputs, results: ComparisonRecord) -> str:
    """The command line of a local run with the same data, settings, regimes and seeds; empty where it is not known.

    Regimes that failed are among them.

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
    makers = (info["ingest"], info["made_by"], first["training"]["made_by"], first["made_by"], results["made_by"])
    arguments = [made_by["arguments"] for made_by in makers]
    arguments[STEPS.index(TrainParameters)] = trained_model.arguments(first["training"])
    values = recorded(arguments)
    values |= {"seed": seeds[0], "seeds": len(seeds)} | label_budget_results.asked_for(results.get("label_budgets"))
    if not values.get("label_budgets"):
        values.pop("label_price", None)
    if values.get("path"):
        values.pop("pneumoniamnist_size", None)  # the file determines it
    applicable = {name: value for name, value in values.items() if PIPELINE[name].source in ("", values["source"])}
    words = ["python", "-m", "pipelines.local", *options.words(applicable)]
    if "external" in results:
        words += ["--external-test", "PATH"]
    regimes = results["regimes"].keys() | results.get("failed", {}).keys()
    return shlex.join([*words, "--regimes", *(name for name in REGIMES if name in regimes)])
