"""The format of `results.json`."""

from datetime import UTC, datetime

import pytest

from components.artifacts import comparison, files
from components.artifacts.names import FLOOR
from components.console import UserError


def record(**changes):
    header = files.header(comparison.KIND, datetime(2026, 1, 31, tzinfo=UTC), {})
    return {**header, "regimes": {"custom_cnn": {"metrics": {}}}, **changes}


def test_what_is_saved_is_loaded(tmp_path):
    comparison.save(tmp_path, record())
    assert comparison.load(tmp_path) == record() | {"made_by": comparison.load(tmp_path)["made_by"]}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schema_version": files.SCHEMA_VERSION + 1}, "has schema version"),
        ({"kind": comparison.KIND_OF_RUNS}, "describes a 'comparison of runs', not a 'comparison'"),
    ],
)
def test_another_version_or_kind_is_refused(tmp_path, changes, message):
    comparison.save(tmp_path, record(**changes))
    with pytest.raises(UserError, match=message):
        comparison.load(tmp_path)


def test_the_baseline_follows_the_regimes_where_there_is_one():
    baseline = {"metrics": {}, "comparisons": []}
    assert list(comparison.with_baseline(record())) == ["custom_cnn"]
    found = comparison.with_baseline(record(floor=baseline))
    assert list(found) == ["custom_cnn", FLOOR]
    assert found[FLOOR] is baseline
