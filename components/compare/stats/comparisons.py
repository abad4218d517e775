"""Differences of pairs of regimes on the same test patients: intervals, tests, and Holm's correction."""

from collections.abc import Mapping, Sequence

from components.artifacts.comparison import FIRST_METRICS
from components.artifacts.differences import Difference
from components.artifacts.evaluation import METRICS
from components.compare.stats import resampling, uncertainty
from components.compare.stats.evidence import bounds
from components.compare.stats.uncertainty import Estimate, UncertainDifference, UncertainValue

COMPARED_METRICS = (*FIRST_METRICS, *(metric for metric in METRICS if metric not in FIRST_METRICS))
"""Every metric, in the order of `results.json`."""

DELONG = "DeLong over patients"
BOOTSTRAP = "bootstrap over patients"
SEEDS = "t over seeds and patients"
UNPAIRED = "t, unpaired (Welch)"


def compare_all(
    pairs: Sequence[tuple[str, str]],
    estimates: Mapping[str, Estimate],
    rows: Mapping[str, Sequence[int]],
    metrics: Sequence[str] = COMPARED_METRICS,
) -> list[Difference]:
    """Compares each pair in each metric.

    With one seed per regime: ROC AUC by DeLong's test, the other metrics by the standard error of the bootstrap, in
    which thresholds are chosen anew. With several seeds: all by the t test whose variance includes both patients and
    seeds (`uncertainty`). Intervals are always those of `uncertainty`.

    Args:
        pairs: names of the regimes to compare; Holm's correction is for their number, metric by metric.
        estimates: of all models, from `evidence.gather`.
        rows: for each regime, the positions of its models in the estimates.
        metrics: the metrics to compare.

    Returns:
        One difference per metric and pair.
    """
    found = []
    for metric in metrics:
        values = [estimates[metric].difference(rows[a], rows[b]) for a, b in pairs]
        tests = [_test(metric, len(rows[a]), len(rows[b])) for a, b in pairs]
        p_values = [uncertainty.p_value(value, span(metric)) for value in values]
        found += described(metric, pairs, values, p_values, tests)
    return found


def compare_independent(
    metric: str, names: Sequence[str], values: Sequence[tuple[UncertainValue, UncertainValue]]
) -> list[Difference]:
    """Compares two runs without common test patients, regime by regime, by Welch's t test.

    Args:
        metric: that is compared.
        names: of the regimes; Holm's correction is for their number.
        values: of each regime, in the first and in the second run.

    Returns:
        One difference per regime.
    """
    gaps = [uncertainty.independent_difference(*pair) for pair in values]
    p_values = [uncertainty.p_value(gap, span(metric)) for gap in gaps]
    return described(metric, [(name, name) for name in names], gaps, p_values, [UNPAIRED] * len(gaps))


def described(
    metric: str,
    pairs: Sequence[tuple[str, str]],
    values: Sequence[UncertainDifference],
    p_values: Sequence[float],
    tests: Sequence[str],
) -> list[Difference]:
    """The differences in one metric as `results.json` has them, with intervals and corrected p-values.

    Args:
        metric: that was compared.
        pairs: names of the two regimes.
        values: the differences.
        p_values: uncorrected.
        tests: that gave them.
    """
    return [
        {
            "a": a,
            "b": b,
            "metric": metric,
            "difference": value.value,
            "ci95": uncertainty.difference_interval(value, *bounds(metric)),
            "p_value": p_value,
            "test": test,
            "p_value_holm": adjusted,
        }
        for (a, b), value, p_value, test, adjusted in zip(
            pairs, values, p_values, tests, resampling.holm(p_values), strict=True
        )
    ]


def span(metric: str) -> float:
    """How far apart two values of a metric can be."""
    low, high = bounds(metric)
    return high - low


def _test(metric: str, seeds_a: int, seeds_b: int) -> str:
    """The test for a metric, given the numbers of seeds of the two regimes."""
    if seeds_a > 1 or seeds_b > 1:
        return SEEDS
    return DELONG if metric == "roc_auc" else BOOTSTRAP
