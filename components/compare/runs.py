"""Reads two whole runs and checks what they have in common: regimes and test images."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from components.artifacts import failed_training
from components.artifacts.dataset_summary import DatasetSummary
from components.artifacts.evaluation import Evaluation
from components.artifacts.names import REGIMES
from components.compare import failures, inputs
from components.compare.inputs import Inputs
from components.console import UserError


@dataclass(frozen=True)
class Run:
    """One run with its evaluations.

    Attributes:
        name: of its folder.
        inputs: its evaluations and dataset summary.
    """

    name: str
    inputs: Inputs


def is_run(path: Path) -> bool:
    """Whether this is the folder of a run, or the comparison in it, rather than one evaluation."""
    return (path / "steps").is_dir() or (path / "results.json").is_file() or (path / "run.json").is_file()


def load(path: Path) -> Run:
    """Reads the evaluations of a run, the trainings that failed, and the summary of its dataset.

    Args:
        path: the run's folder, which has `steps/`, or its `comparison/`.

    Raises:
        UserError: the run's steps are not there, or are not whole, or all its trainings failed.
    """
    folder = path.resolve()
    folder = folder if (folder / "steps").is_dir() else folder.parent
    evaluations = sorted(file.parent for file in folder.glob("steps/**/evaluation.json"))
    # Train writes the same file, in a folder with another name.
    failed = sorted(file.parent for file in folder.glob(f"steps/**/evaluation/{failed_training.FILE}"))
    if failed and not evaluations:
        raise failures.none_left(failures.load(failed))
    if not evaluations:
        raise UserError(
            f"{path} has no evaluations in steps/, and a comparison of runs needs the predictions in them: "
            "pass the folder that pipelines.local wrote (runs/<id>)"
        )
    fingerprint = Evaluation.load(evaluations[0]).results["dataset"]["fingerprint"]
    found = sorted(folder.glob("steps/**/dataset_summary/dataset.json"))
    summaries = [DatasetSummary.load(file.parent) for file in found]
    own = [summary.folder for summary in summaries if summary.info["fingerprint"] == fingerprint]
    if not own:
        raise UserError(f"{path} has no summary of the dataset of its evaluations: run it again")
    return Run(folder.name, inputs.load([*evaluations, *failed], own[0]))


def load_two(path_a: Path, path_b: Path) -> tuple[Run, Run]:
    """Reads two runs; where their folders have the same name, they are told apart by the whole path.

    Raises:
        UserError: they are one and the same, or one cannot be read.
    """
    a, b = load(path_a), load(path_b)
    if a.inputs.dataset.folder == b.inputs.dataset.folder:
        raise UserError(f"{path_a} and {path_b} are the same run: pass two that differ")
    if a.name == b.name:
        a, b = replace(a, name=str(path_a)), replace(b, name=str(path_b))
    return a, b


def shared_regimes(a: Run, b: Run) -> list[str]:
    """The regimes that both runs have results of.

    Raises:
        UserError: there is none.
    """
    found = [name for name in REGIMES if name in a.inputs.regimes and name in b.inputs.regimes]
    if not found:
        failed = [f"{own['regime']} failed in {run.name}" for run in (a, b) for own in run.inputs.failures]
        why = f" ({', '.join(failed)})" if failed else ""
        raise UserError(f"{a.name} and {b.name} have no regime in common{why}: pass runs that share at least one")
    return found


def same_test_images(a: Run, b: Run) -> bool:
    """Whether both runs were evaluated on the same images, at whatever resolution.

    Names, labels and patients must agree, and so must the kind of source and the counts of the files that it had.
    Simulated images of the same name differ with the settings of the simulation, so these must agree as well.
    """
    first, second = (run.inputs.models[0].evaluation.split("test").sort_values("image") for run in (a, b))
    columns = ["image", "label", "patient"]
    same = first[columns].reset_index(drop=True).equals(second[columns].reset_index(drop=True))
    return same and _origin(a) == _origin(b)


def _origin(run: Run) -> dict[str, Any]:
    """What determines the content of the images."""
    info = run.inputs.dataset.info
    if info["source"]["name"] != "synthetic":
        quality = cast(dict[str, Any], info["quality"])
        return {"source": info["source"]["name"]} | {
            name: quality.get(name) for name in ("images", "patients", "counts", "duplicates")
        }
    return info["ingest"]["arguments"] if info.get("ingest") else {"fingerprint": info["fingerprint"]}
