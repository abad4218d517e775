"""What has changed in a schedule is named."""

from types import SimpleNamespace

import pytest

from pipelines.submit import definition


class Pipeline:
    """A pipeline whose parameter `epochs` has a default."""

    @staticmethod
    def effective(given):
        return {"epochs": "20.0"} | {name: str(float(value)) for name, value in given.items()}


def recurring_run(**others):
    """A schedule as the API returns it."""
    content = {
        "trigger": SimpleNamespace(cron_schedule=SimpleNamespace(cron="0 0  3 * * 1")),
        "runtime_config": SimpleNamespace(parameters={"seeds": 2}),
        "pipeline_version_reference": SimpleNamespace(pipeline_version_id="v1"),
        "experiment_id": "e1",
        "no_catchup": True,
        "max_concurrency": "1",
    }
    return SimpleNamespace(**content | others)


SAME = definition.Definition(
    cron="0 0 3 * * 1",
    parameters={"epochs": "20.0", "seeds": "2.0"},
    version="v1",
    experiment="e1",
    settings=(True, 1),
)


def test_defaults_count_and_the_layout_of_the_cron_expression_does_not():
    assert definition.of(recurring_run(), Pipeline) == SAME
    assert definition.changes([recurring_run()], Pipeline, SAME) == []


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"cron": "0 0 4 * * 1"}, ["cron"]),
        ({"parameters": {"epochs": "5.0", "patience": "3.0", "seeds": "2.0"}}, ["parameters (epochs, patience)"]),
        ({"version": "v2", "experiment": "e2"}, ["version", "experiment"]),
        ({"settings": (True, 2)}, ["settings"]),
    ],
)
def test_every_change_is_named(changed, named):
    assert definition.changes([recurring_run()], Pipeline, SAME | changed) == named


def test_what_the_api_omits_differs_from_every_schedule():
    empty = recurring_run(
        trigger=None,
        runtime_config=None,
        pipeline_version_reference=None,
        experiment_id=None,
        no_catchup=None,
        max_concurrency=None,
    )
    assert definition.of(empty, Pipeline) == {
        "cron": "",
        "parameters": {"epochs": "20.0"},
        "version": "",
        "experiment": None,
        "settings": (False, 0),
    }


def test_of_several_schedules_the_newest_is_compared_and_without_one_nothing_has_changed():
    older = recurring_run(experiment_id="e0")
    assert definition.changes([recurring_run(), older], Pipeline, SAME) == []
    assert definition.changes([], Pipeline, SAME) == []
