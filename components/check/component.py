"""Check as a step of a Kubeflow pipeline."""

from kfp.dsl import Artifact, Input

from components.images import DATA_IMAGE
from components.step import step

# This is a step of its own because compare must succeed: Kubeflow keeps nothing of what a failed task has written, so
# the report would be lost.


@step(DATA_IMAGE)
def check(comparison: Input[Artifact]) -> None:
    """Fails if a regime could not be trained, after the report is written.

    Args:
        comparison: what compare made.
    """
    from components.check.check import check as run
    from components.console import plain_errors

    with plain_errors():
        run(comparison.path)
