"""What a schedule on the server consists of, to tell whether it has changed."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypedDict

from pipelines.submit.package import Package

if TYPE_CHECKING:
    from kfp_server_api import V2beta1RecurringRun


class Definition(TypedDict):
    """What makes two schedules the same.

    Attributes:
        cron: expression of six fields; "" where something else triggers the runs.
        parameters: {name: value as JSON}, defaults included.
        version: id of the pipeline's version.
        experiment: id.
        settings: whether missed runs are not caught up on, and how many runs may go on at the same time.
    """

    cron: str
    parameters: dict[str, str]
    version: str
    experiment: str
    settings: tuple[bool, int]


def of(found: "V2beta1RecurringRun", pipeline: Package) -> Definition:
    """The definition of a recurring run on the server; `pipeline` gives the defaults of its parameters."""
    reference, config = found.pipeline_version_reference, found.runtime_config
    return Definition(
        cron=expression(found),
        parameters=pipeline.effective((config and config.parameters) or {}),
        version=reference.pipeline_version_id if reference else "",
        experiment=found.experiment_id,
        settings=(bool(found.no_catchup), int(found.max_concurrency or 0)),
    )


def changes(present: "Sequence[V2beta1RecurringRun]", pipeline: Package, wanted: Definition) -> list[str]:
    """The names of what differs from the newest schedule of this name; none where there is no schedule.

    Args:
        present: the recurring runs of this name, newest first.
        pipeline: for the defaults of its parameters.
        wanted: the new definition.
    """
    if not present:
        return []
    old = of(present[0], pipeline)
    before: Mapping[str, object] = {**old}
    names = [key for key, value in wanted.items() if before[key] != value]
    if "parameters" in names:
        changed = old["parameters"].items() ^ wanted["parameters"].items()
        names[names.index("parameters")] = f"parameters ({', '.join(sorted({name for name, _ in changed}))})"
    return names


def expression(found: "V2beta1RecurringRun") -> str:
    """The cron expression of a recurring run; "" where something else triggers it."""
    trigger = found.trigger and found.trigger.cron_schedule
    return " ".join(trigger.cron.split()) if trigger and trigger.cron else ""
