"""What a folder that `pipelines.local` wrote has for a recording: the comparison, the run's origin, the models."""

import json
from pathlib import Path

from components.artifacts import comparison, trained_model
from components.console import UserError
from components.record.content import Origin
from components.trend import FILE


def comparison_of(path: Path) -> Path:
    """The comparison in a run's folder; a comparison itself stays as it is.

    Raises:
        UserError: there is none.
    """
    for folder in (path / "comparison", path):
        if (folder / comparison.RESULTS).is_file():
            return folder.resolve()
    raise UserError(f"{path} has no comparison: give the folder of a finished run (runs/<time>), or of a comparison")


def origin_of(made: Path) -> Origin:
    """The origin of the run whose comparison this is; that of a comparison without a run has nothing."""
    try:
        content = json.loads((made.parent / "run.json").read_text(encoding="utf-8"))
        return Origin(**content["origin"])
    except (OSError, ValueError, KeyError, TypeError):
        return Origin()


def trend_of(made: Path) -> Path | None:
    """The page of runs over time in the folder of all runs; None for a comparison without a run."""
    return made.parent.parent / FILE if (made.parent / "run.json").is_file() else None


def models_of(made: Path) -> list[Path]:
    """The folders of trained models of the run whose comparison this is; empty for a comparison without a run."""
    found = sorted(made.parent.glob(f"steps/**/{trained_model.INDEX}"))
    # Folders with a dot are those of an interrupted step; a comparison has a file of this name too.
    whole = [file for file in found if not any(part.startswith(".") for part in file.relative_to(made.parent).parts)]
    return [file.parent for file in whole if not (file.parent / comparison.RESULTS).is_file()]
