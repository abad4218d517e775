"""A run beside the champion: a loss rings, noise and equal models do not."""

import json
import math
from dataclasses import asdict

import numpy as np
import pytest
from scipy import stats

from components import roc_auc
from components.gate import quality, trainings
from components.gate.quality import judge

REGIME = "custom_cnn"


def line(images=600, auc=0.97, seed=0):
    """Labels, patients, and a function that gives the scores of trainings with an expected ROC AUC."""
    random = np.random.default_rng(seed)
    patients = np.arange(images) // 2
    labels = (np.arange(images // 2) % 5 < 3).astype(int)[patients]
    common = random.normal(size=images // 2)[patients] * 0.8 + random.normal(size=images) * 0.4

    def trained(seeds, expected=auc):
        distance = stats.norm.ppf(expected) * math.sqrt(2)
        return labels * distance + common + 0.4 * random.normal(size=(seeds, images))

    return labels, patients, trained


def areas(labels, patients, scores):
    return roc_auc.covariance_of_areas(labels, patients, scores)[0].tolist()


def judged(labels, patients, champion, challenger, earlier=None, **settings):
    runs = [areas(labels, patients, champion)] if earlier is None else earlier
    return judge(labels, patients, {REGIME: champion}, {REGIME: challenger}, {REGIME: runs}, **settings)[REGIME]


@pytest.mark.parametrize("seeds", [1, 3])
def test_a_collapse_in_the_second_run_is_shown(seeds):
    labels, patients, trained = line(auc=0.99)
    found = judge(
        labels,
        patients,
        {name: trained(seeds) for name in ("a", "b", "c", "d")},
        {"a": trained(seeds, 0.6)} | {name: trained(seeds) for name in ("b", "c", "d")},
        {name: [[0.99] * seeds] for name in ("a", "b", "c", "d")},
    )
    assert [own.worse for own in found.values()] == [True, False, False, False]
    assert found["a"].low < found["a"].difference < found["a"].high < 0
    assert not found["a"].noninferior
    assert found["a"].level == 0.05 / 52 / 4
    assert not any(own.better for own in found.values())


def test_the_same_models_again_in_another_order_are_no_change():
    labels, patients, trained = line(images=60)
    champion = trained(3)
    found = judged(labels, patients, champion, champion[[2, 0, 1]])
    assert (found.difference, found.low, found.high) == (0.0, 0.0, 0.0)
    assert found.noninferior
    assert not found.worse
    assert not found.better
    # Two equal trainings are not the same models as three.
    assert judged(labels, patients, champion, champion[:2]).high > 0


def test_a_gain_is_better_and_non_inferior():
    labels, patients, trained = line()
    runs = [areas(labels, patients, trained(3)) for _ in range(20)]
    found = judged(labels, patients, trained(3), trained(3, 0.995), runs)
    assert found.better
    assert found.noninferior
    assert 0 < found.low < found.difference


def test_the_variance_is_that_of_patients_and_trainings_with_interaction_once():
    labels, patients, trained = line(images=200)
    champion, challenger = trained(3), trained(2)
    runs = [areas(labels, patients, trained(3)) for _ in range(10)]
    found = judged(labels, patients, champion, challenger, runs)
    values, covariance = roc_auc.covariance_of_areas(labels, patients, np.concatenate([champion, challenger]))
    roots = (1 - values) ** 0.25
    root = np.array([roots[:3].mean(), roots[3:].mean()])
    slope = 4 * root**3
    weights = np.array([-1 / 3] * 3 + [1 / 2] * 2) / np.repeat(slope, [3, 2])
    inner = [covariance[:3, :3] / slope[0] ** 2, covariance[3:, 3:] / slope[1] ** 2]
    interaction = sum(len(own) * np.trace(own) - own.sum() for own in inner) / (3 * 2 + 2 * 1)
    common = max(0, weights @ covariance @ weights - interaction * (1 / 3 + 1 / 2))
    between = np.mean([np.var((1 - np.array(run)) ** 0.25, ddof=1) for run in runs]) * (1 / 3 + 1 / 2)
    variance = max(common + between, weights @ covariance @ weights)
    ill = min(len(set(patients[labels == label])) for label in (0, 1))
    freedom = (common + between) ** 2 / (common**2 / (ill - 1) + between**2 / 20)
    reach = stats.t.isf(0.05 / 52, freedom) * math.sqrt(variance)
    assert found.high == pytest.approx(root[0] ** 4 - max(0, root[1] - reach) ** 4)
    assert found.low == pytest.approx(root[0] ** 4 - (root[1] + reach) ** 4)
    spread = between / (1 / 3 + 1 / 2)
    assert found.seed_deviation == pytest.approx(math.sqrt(spread) * slope[0])
    # Non-inferiority: from the distances of both values to the ends of their intervals, with their correlation.
    own = []
    for rows in (slice(0, 3), slice(3, 5)):
        alone, size = np.where(np.isin(np.arange(5), np.arange(5)[rows]), np.abs(weights), 0), rows.stop - rows.start
        resampled = alone @ covariance @ alone
        own.append(max(resampled, resampled - interaction / size + spread / size))
    quantile = stats.t.isf(0.05, freedom)
    up = root[0] ** 4 - (root[0] - quantile * math.sqrt(own[0])) ** 4
    down = (root[1] + quantile * math.sqrt(own[1])) ** 4 - root[1] ** 4
    joined = math.sqrt(up**2 + down**2 - (own[0] + own[1] - variance) / math.sqrt(own[0] * own[1]) * up * down)
    assert found.power == pytest.approx(stats.norm.cdf((0.01 - joined) / (math.sqrt(variance) * slope[0])))
    assert found.noninferior == (found.champion - found.challenger + joined <= 0.01)


def test_more_runs_a_year_need_more_evidence():
    labels, patients, trained = line()
    champion, challenger = trained(3), trained(3, 0.94)
    weekly, yearly = (judged(labels, patients, champion, challenger, runs_per_year=runs) for runs in (52, 1))
    assert yearly.high < weekly.high
    assert (weekly.level, yearly.level) == (0.05 / 52, 0.05)


def test_non_inferiority_needs_many_test_images():
    few, many = ({}, {})
    for found, images in ((few, 100), (many, 6000)):
        labels, patients, trained = line(images)
        runs = [areas(labels, patients, trained(3)) for _ in range(10)]
        found["it"] = judged(labels, patients, trained(3), trained(3), runs)
    assert many["it"].noninferior
    assert many["it"].power > 0.99
    assert not few["it"].noninferior
    assert few["it"].power < 0.5


def test_of_perfect_models_the_exact_bound_decides():
    patients = np.arange(400)
    labels = patients % 2
    a, b = labels + np.linspace(0, 0.1, 400), labels + np.linspace(0.1, 0, 400)
    found = judged(labels, patients, a[None], b[None])
    assert (found.difference, found.worse, found.better) == (0, False, False)
    # Of 200 patients, none wrong: up to 1.5% may be; of 400 up to 0.7%.
    assert not found.noninferior
    assert found.power == 0
    labels, patients = np.tile(labels, 2), np.arange(800)
    a, b = labels + np.linspace(0, 0.1, 800), labels + np.linspace(0.1, 0, 800)
    assert judged(labels, patients, a[None], b[None]).noninferior


def test_a_perfect_champion_and_a_worse_challenger():
    labels, patients, trained = line(100)
    perfect = labels[None] + 0.1 * np.random.default_rng(0).random((1, 100))
    assert judged(labels, patients, perfect, trained(1, 0.55)).worse
    found = judged(labels, patients, perfect, trained(1, 0.999))
    assert not found.worse
    assert math.isfinite(found.power)


def test_only_regimes_of_both_runs_are_judged():
    labels, patients, trained = line(100)
    found = judge(labels, patients, {"a": trained(1), "b": trained(1)}, {"b": trained(1), "c": trained(1)}, {})
    assert list(found) == ["b"]
    assert found["b"].level == 0.05 / 52


def test_what_is_found_can_be_stored_as_json():
    labels, patients, trained = line(100)
    perfect = labels[None] + np.zeros((1, 100))
    for challenger in (trained(1), trained(2, 0.6), perfect):
        json.dumps(asdict(judged(labels, patients, perfect, challenger)), allow_nan=False)


def test_the_sentence_has_the_figures():
    labels, patients, trained = line(auc=0.99)
    found = judged(labels, patients, trained(3), trained(3, 0.7))
    text = quality.sentence(found)
    for part in (
        "Custom CNN",
        f"{found.champion:.3f}",
        f"{found.challenger:.3f}",
        f", −{-found.difference:.3f} from",
        f"{-found.high:.4f} or more is shown",
    ):
        assert part in text


def test_the_variance_between_trainings_is_pooled_over_runs():
    random = np.random.default_rng(0)
    runs = 1 - (0.4 + 0.02 * random.normal(size=(40, 3))) ** 4
    found = trainings.between_trainings(runs.tolist())
    expected = np.var((1 - runs) ** 0.25, axis=1, ddof=1).mean()
    assert found.value == pytest.approx(expected)
    assert found.freedom == 80


def test_runs_of_one_seed_vary_around_their_mean():
    random = np.random.default_rng(0)
    runs = 1 - (0.4 + 0.02 * random.normal(size=40)) ** 4
    found = trainings.between_trainings([[run] for run in runs])
    assert found.value == pytest.approx(np.var((1 - runs) ** 0.25, ddof=1))
    assert found.freedom == 39


def test_equal_runs_count_once():
    once = trainings.between_trainings([[0.97, 0.98, 0.975]])
    assert trainings.between_trainings([[0.97, 0.98, 0.975], [0.98, 0.97, 0.975]] * 10) == once
    assert trainings.between_trainings([[0.97]] * 10) == trainings.between_trainings([])


def test_what_is_usual_counts_less_the_more_is_known():
    usual = trainings.USUAL_DEVIATION**2
    assert trainings.between_trainings([]).value == pytest.approx(usual)
    assert trainings.between_trainings([]).freedom == trainings.USUAL_FREEDOM
    random = np.random.default_rng(0)
    runs = (1 - (0.4 + 0.001 * random.normal(size=(7, 3))) ** 4).tolist()
    values = [trainings.between_trainings(runs[:count]).value for count in range(8)]
    assert values == sorted(values, reverse=True)
    assert values[-1] < usual / 100


@pytest.mark.parametrize("collapsed", [[0.6], [0.99, 0.6, 0.6]])
def test_a_collapse_does_not_count_as_noise(collapsed):
    random = np.random.default_rng(0)
    runs = (1 - (0.4 + 0.02 * random.normal(size=(20, len(collapsed)))) ** 4).tolist()
    without = trainings.between_trainings(runs)
    assert trainings.between_trainings([*runs, collapsed]) == without
    # However many there are: the champion, which is the first, tells what is usual.
    many = [[value - number * 1e-6 for value in collapsed] for number in range(60)]
    assert trainings.between_trainings([*runs, *many]) == without
