"""A training that failed has no models: its failure is passed on in place of evaluations."""

from pathlib import Path

from components.artifacts import failed_training
from components.console import one_line, say


def passed_on(models: str | Path, output: str | Path) -> bool:
    """Writes the failure of a training as its evaluation, before TensorFlow and the dataset are loaded.

    Args:
        models: folder that train wrote.
        output: folder of the evaluations, made anew where the training failed.

    Returns:
        Whether the training failed, so that there is nothing to evaluate.

    Raises:
        UserError: the failure cannot be read.
    """
    failure = failed_training.load(models)
    if failure is None:
        return False
    failed_training.save(output, failure)
    why = f"({failure['cause']}): {one_line(failure['reason'])}"
    say(f"evaluate {failure['regime']}", f"nothing to evaluate, since the training failed {why}")
    return True
