"""The trainings that failed: their regimes are not compared, and the report says why."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from components.artifacts import evaluation, failed_training
from components.artifacts.comparison import FailedRegime
from components.artifacts.evaluation import Evaluation
from components.artifacts.failed_training import FailedTraining
from components.artifacts.names import FLOOR, REGIME_TITLES, REGIMES
from components.console import UserError, one_line

Failures = Mapping[Path, FailedTraining]
"""The failures by their folders, in the order of `REGIMES`."""


def load(folders: Iterable[str | Path]) -> Failures:
    """Reads the failures among evaluation folders.

    Args:
        folders: of evaluations or failures, in any order.

    Raises:
        UserError: a failure cannot be read, stands beside an evaluation, or is of the same regime as another one.
    """
    given = [Path(folder) for folder in folders]
    found = [(folder, failure) for folder in given if (failure := failed_training.load(folder))]
    first: dict[str, Path] = {}
    for folder, failure in found:
        if any((folder / name).exists() for name in (evaluation.INDEX, "evaluation.json")):
            raise _both(failure["regime"], folder, folder)
        if failure["regime"] in first:
            raise UserError(
                f"{first[failure['regime']]} and {folder} both say that {failure['regime']} failed: pass one of them"
            )
        first[failure["regime"]] = folder
    return dict(sorted(found, key=lambda pair: REGIMES.index(pair[1]["regime"])))


def check(failed: Failures, evaluations: Sequence[Evaluation]) -> None:
    """Checks that a regime is left to compare, and that none is both evaluated and failed.

    Args:
        failed: from `load`.
        evaluations: of regimes and the baseline.

    Raises:
        UserError: otherwise.
    """
    folders = {own.results["regime"]: own.folder for own in evaluations}
    for folder, failure in failed.items():
        if failure["regime"] in folders:
            raise _both(failure["regime"], folder, folders[failure["regime"]])
    if failed and not folders.keys() - {FLOOR}:
        raise none_left(failed)


def none_left(failed: Failures) -> UserError:
    """The error that there is nothing to compare, with every reason."""
    reasons = [f"{REGIME_TITLES[own['regime']]} ({own['cause']}): {one_line(own['reason'])}" for own in failed.values()]
    return UserError(f"every training failed, so there is nothing to compare. {'; '.join(reasons)}")


def described(failed: Iterable[FailedTraining]) -> dict[str, FailedRegime]:
    """The failures as `results.json` has them."""
    return {
        own["regime"]: {"cause": own["cause"], "reason": own["reason"], "seconds": own["seconds"]} for own in failed
    }


def _both(regime: str, failed: Path, evaluated: Path) -> UserError:
    return UserError(
        f"{regime} is both evaluated (in {evaluated}) and failed (in {failed}): pass the one that is of this run"
    )
