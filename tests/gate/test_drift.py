"""Images that were added or are gone: a difference rings, random changes do not."""

import json
import time
from dataclasses import asdict

import numpy as np
import pandas as pd
import pytest

from components.gate import drift
from components.gate.drift import judge


def table(patients, seed=0, first=0, tested=0.2, **shift):
    random = np.random.default_rng(seed)
    owner = np.repeat(np.arange(patients), 1 + random.poisson(1.0, patients))
    made = pd.DataFrame({"image": [f"{first}-{place}" for place in range(len(owner))], "patient": first + owner})
    made["label"] = (random.random(patients) < 0.6).astype(int)[owner]
    for name in ("brightness", "contrast", "sharpness"):
        own = random.normal(size=patients)[owner] + 0.3 * random.normal(size=len(owner))
        made[name] = own + shift.get(name, 0.0)
    test = (random.random(patients) < tested)[owner]
    made["score"] = np.where(test, random.random(len(owner)) + shift.get("score", 0.0), np.nan)
    return made


OLD = table(300)


def grown(patients=40, **shift):
    return pd.concat([OLD, table(patients, seed=1, first=1000, **shift)], ignore_index=True)


def p_values(found, of="added"):
    return {test.feature: test.p for test in found.tests if test.of == of}


def test_images_are_counted():
    new = grown()
    found = judge(OLD, new.iloc[25:])
    assert (found.added, found.gone, found.kept) == (len(new) - len(OLD), 25, len(OLD) - 25)
    assert {test.of for test in found.tests} == {"added", "gone"}
    assert not found.alarm
    assert found.level == 0.05 / 52


@pytest.mark.parametrize("feature", ["brightness", "contrast", "sharpness", "score"])
def test_a_shift_of_what_is_added_rings(feature):
    found = judge(OLD, grown(80, **{feature: 1.5}))
    assert found.alarm
    assert [name for name, p in p_values(found).items() if p <= found.level] == [feature]
    test = next(test for test in found.tests if test.feature == feature)
    own = pd.DataFrame(grown(80, **{feature: 1.5})).groupby("patient")[feature].mean()
    assert test.mean == pytest.approx(own[own.index >= 1000].mean())
    assert test.others == pytest.approx(own[own.index < 1000].mean())
    assert drift.sentence(found).startswith("mean score of the models" if feature == "score" else feature)
    assert f"{test.mean:.3f}" in drift.sentence(found)
    assert "added" in drift.sentence(found)


def test_patients_that_are_gone_are_compared_with_those_kept():
    means = OLD.groupby("patient")["brightness"].mean()
    found = judge(OLD, OLD[~OLD["patient"].isin(means.nlargest(30).index)])
    assert found.added == 0
    assert found.alarm
    assert p_values(found, "gone")["brightness"] <= found.level
    assert p_values(found, "added") == {}
    assert "gone" in drift.sentence(found)


def test_the_share_of_a_class_counts():
    new = table(80, seed=1, first=1000)
    new["label"] = 1
    found = judge(OLD, pd.concat([OLD, new]))
    assert found.alarm
    assert "share of pneumonia" in drift.sentence(found)


def test_other_data_are_compared_as_a_whole_without_scores():
    found = judge(OLD, table(300, seed=2, first=5000, brightness=1.0, score=5.0))
    assert found.kept == 0
    assert found.alarm
    assert set(p_values(found)) == {"label", "brightness", "contrast", "sharpness"}
    assert "the earlier ones" in drift.sentence(found)
    assert not judge(OLD, table(300, seed=3, first=5000)).alarm


def test_many_images_of_few_patients_are_no_evidence():
    random = np.random.default_rng(0)
    own = random.normal(size=3)
    new = pd.DataFrame({"image": [f"new-{place}" for place in range(300)], "patient": 2000 + np.arange(300) % 3})
    new["label"] = 1
    for name in ("brightness", "contrast", "sharpness"):
        new[name] = own[np.arange(300) % 3] + 1.0
    new["score"] = np.nan
    assert not judge(OLD, pd.concat([OLD, new])).alarm


def test_p_values_are_corrected_for_features_and_both_groups():
    # One patient of 100 is extreme in one feature: one exchange in 100 shows that, in either of two comparisons.
    old = pd.DataFrame({"image": np.arange(100).astype(str), "patient": np.arange(100), "label": 0})
    old["brightness"] = np.r_[50.0, np.linspace(0, 1, 99)]
    old[["contrast", "sharpness"]] = 0.0
    old["score"] = np.nan
    found = judge(old, old.iloc[1:])
    assert [test.feature for test in found.tests] == ["brightness"]
    assert found.tests[0].p == pytest.approx(0.01, rel=0.4)
    new = pd.concat([old.iloc[1:], old.iloc[[50]].assign(image="x", patient=500)])
    twice = next(test for test in judge(old, new).tests if test.of == "gone")
    assert twice.p == pytest.approx(0.02, rel=0.4)


def test_p_values_of_random_changes_are_uniform():
    smallest = []
    for seed in range(60):
        data = table(60, seed=seed)
        chosen = np.random.default_rng(seed).choice(60, 10, replace=False)
        found = judge(data, data[~data["patient"].isin(chosen)], seed=seed)
        smallest.append(min(test.p for test in found.tests))
    assert np.mean(np.array(smallest) < 0.3) == pytest.approx(0.3, abs=0.18)


def test_daily_runs_have_enough_permutations_to_ring():
    found = judge(OLD, pd.concat([grown(80, brightness=2.0).iloc[10:]]), runs_per_year=365)
    assert found.level == 0.05 / 365
    assert found.alarm


def test_the_same_data_and_the_same_seed_give_the_same():
    assert judge(OLD, OLD).tests == ()
    assert not judge(OLD, OLD).alarm
    assert judge(OLD, grown(), seed=3) == judge(OLD, grown(), seed=3)


def test_what_is_found_can_be_stored_as_json():
    stored = json.loads(json.dumps(asdict(judge(OLD, grown().iloc[9:])), allow_nan=False))
    assert len(stored["tests"][0]) == 5


def test_thousands_of_images_take_seconds():
    old = table(2900)
    new = pd.concat([old.iloc[50:], table(60, seed=1, first=5000, brightness=1.0)])
    begun = time.process_time()
    assert judge(old, new).alarm
    assert time.process_time() - begun < 4


def test_kept_images_with_other_labels_ring():
    found = judge(OLD, OLD.assign(label=1 - OLD["label"]))
    assert (found.added, found.gone, found.kept, found.changed) == (0, 0, len(OLD), len(OLD))
    assert [test.feature for test in found.tests] == ["label"]
    assert found.alarm
    assert drift.sentence(found) == f"{len(OLD)} of {len(OLD)} kept images have another label than before"
    # A few per cent, in one direction.
    new = OLD.assign(label=OLD["label"].where(~OLD["patient"].isin(range(50)), 1))
    found = judge(OLD, new)
    assert found.alarm
    assert found.relabelled < drift.RELABELLED * found.kept
    assert drift.sentence(found).startswith(
        "share of pneumonia of the kept images that changed 1.000, of the same before 0.000 (p = 0.0"
    )


def test_kept_images_that_another_decoder_made_brighter_ring():
    noise = np.random.default_rng(3).normal(size=len(OLD))
    found = judge(OLD, OLD.assign(brightness=OLD["brightness"] + 0.02 + 0.05 * noise, contrast=OLD["contrast"] + noise))
    assert [name for name, p in p_values(found, "kept").items() if p <= found.level] == ["brightness"]
    tiny = judge(OLD, OLD.assign(brightness=OLD["brightness"] + drift.EQUAL / 2))
    assert (tiny.changed, tiny.tests, tiny.alarm) == (0, (), False)


def test_corrections_of_a_few_patients_are_counted_and_do_not_ring():
    new = OLD.copy()
    first = new["patient"].isin(range(6))
    new.loc[first, "label"] = 1 - new.loc[first, "label"]
    found = judge(OLD, new)
    assert found.changed == first.sum()
    assert not found.alarm
    # Many images of one patient are one change.
    one = OLD.assign(patient=7, contrast=OLD["contrast"] + 1)
    assert not judge(one, one.assign(contrast=one["contrast"] + 1)).alarm


@pytest.mark.medium
def test_p_values_of_random_changes_of_kept_images_are_uniform_and_corrected_for_all_groups():
    smallest, random = [], np.random.default_rng(0)
    data = table(60)
    for _ in range(80):
        new = data.assign(**{name: data[name] + random.normal(size=len(data)) for name in drift.STATISTICS})
        found = judge(data, new, runs_per_year=1)
        smallest.append(min(test.p for test in found.tests))
    assert np.mean(np.array(smallest) < 0.3) == pytest.approx(0.3, abs=0.16)
    alone = p_values(found, "kept")
    more = judge(data, pd.concat([new, table(5, seed=1, first=900)]), runs_per_year=1)
    assert all(p == pytest.approx(min(1, 2 * alone[name]), abs=0.06) for name, p in p_values(more, "kept").items())
