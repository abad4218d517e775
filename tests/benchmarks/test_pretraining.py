import json

import numpy as np
import pytest
from scipy import stats

from benchmarks import measure, pretraining
from components.artifacts import prepared_dataset
from components.artifacts.prepared_dataset import PreparedDataset
from components.console import UserError
from components.evaluate import robustness
from tests.train.conftest import write_prepared


@pytest.fixture
def folder(tmp_path):
    """A folder whose images are prepared already."""
    write_prepared(tmp_path / "prepared")
    return tmp_path


def run(folder, *words):
    settings = ["--path", folder, "--folder", folder, "--images", 8, "--draws", 2, "--epochs", 1, "--image-size", 32]
    pretraining.main([*map(str, settings), "--json", str(folder / "out.json"), *map(str, words)])
    return json.loads((folder / "out.json").read_text())


@pytest.fixture
def trained(monkeypatch):
    """Records trainings instead of doing them; a frozen bundled backbone is 0.1 better than others."""
    trained = []

    def train(dataset, _folder, regime, backbone, weights, _arguments, seed):
        trained.append((dataset.name, regime, backbone, weights, seed))
        auc = 0.7 + 0.01 * seed + (0.1 if weights == "bundled" else 0)
        return {"best_epoch": 1, "roc_auc": {"unchanged": auc, **dict.fromkeys(robustness.changes(), auc - 0.05)}}

    monkeypatch.setattr(pretraining, "_train", train)
    return trained


def test_few_images_are_drawn_in_equal_parts_and_the_test_split_stays_whole(folder):
    data = PreparedDataset.load(folder / "prepared")
    pretraining.few(data, folder / "few", 10, 1)
    drawn = PreparedDataset.load(folder / "few")
    assert {name: len(split) for name, split in drawn.splits.items()} == {"train": 10, "validation": 10, "test": 40}
    for name, split in drawn.splits.items():
        assert split.labels.mean() == 0.5
        rows = [data.splits[name].index["image"].tolist().index(image) for image in split.index["image"]]
        assert len(set(rows)) == len(split)
        assert np.array_equal(split.images, data.splits[name].images[rows])
        assert np.array_equal(split.labels, data.splits[name].labels[rows])
        assert drawn.info["splits"][name] == {
            "images": len(split),
            "pneumonia": len(split) // 2,
            "patients": len(split),
        }
    assert drawn.info["fingerprint"] == prepared_dataset.fingerprint(folder / "few")


def test_every_draw_has_other_images_and_one_seed_the_same(folder):
    data = PreparedDataset.load(folder / "prepared")
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        pretraining.few(data, folder / name, 10, seed)
    a, b, c = (PreparedDataset.load(folder / name).info["fingerprint"] for name in "abc")
    assert a == b != c


def test_more_images_than_there_are_cannot_be_drawn(folder):
    data = PreparedDataset.load(folder / "prepared")
    with pytest.raises(UserError, match="validation has 20 images of a class: give --images 40 or less"):
        pretraining.few(data, folder / "few", 42, 1)
    assert not (folder / "few").exists()


def test_every_network_is_trained_on_the_same_draws(folder, trained):
    weights = folder / "mobilenet.h5"
    weights.touch()
    result = run(folder, "--imagenet", weights)
    half = "MobileNetV2-0.5"
    assert trained == [
        (f"draw-{draw}", regime, backbone, given, draw)
        for regime, backbone, given in (
            ("custom_cnn", half, "none"),
            ("transfer_learning", half, "none"),
            ("full_fine_tuning", half, "none"),
            ("transfer_learning", half, "bundled"),
            ("full_fine_tuning", half, "bundled"),
            ("transfer_learning", "MobileNetV2", str(weights)),
            ("full_fine_tuning", "MobileNetV2", str(weights)),
        )
        for draw in (1, 2)
    ]
    assert len(result["trainings"]) == 14
    assert len(result["summary"]["differences"]) == 5


def test_what_is_trained_is_not_trained_again(folder, trained):
    first = run(folder, "--networks", "random")
    assert {one["network"] for one in first["trainings"]} == {"random", "from scratch"}
    del trained[:]
    both = run(folder)
    assert {weights for *_, weights, _ in trained} == {"bundled"}
    assert len(both["trainings"]) == 10
    assert len(run(folder, "--networks", "bundled", "--regimes", "transfer_learning")["trainings"]) == 2


@pytest.mark.usefixtures("trained")
def test_figures_of_other_settings_are_refused(folder, capsys):
    run(folder)
    with pytest.raises(SystemExit):
        run(folder, "--epochs", 2)
    assert "trainings.json has results of other settings" in capsys.readouterr().err


def test_all_images_are_used_as_they_are_prepared(folder, trained):
    run(folder, "--images", 0, "--networks", "bundled", "--regimes", "transfer_learning")
    assert trained == [("prepared", "transfer_learning", "MobileNetV2-0.5", "bundled", seed) for seed in (1, 2)]


def test_differences_are_paired_by_draw():
    random = np.random.default_rng(1)
    names = ["unchanged", *robustness.changes()]

    def trainings(network, gain):
        aucs = {name: [draw + gain * rate for draw, rate in zip(base, rates, strict=True)] for name in names}
        # Not in the order of the other's draws.
        return [
            {
                "network": network,
                "regime": "transfer_learning",
                "draw": draw,
                "roc_auc": {n: aucs[n][draw] for n in names},
            }
            for draw in ([0, 1, 2, 3, 4] if gain else [3, 1, 4, 0, 2])
        ]

    base, rates = random.uniform(0.5, 0.9, 5), random.uniform(0.5, 1.5, 5)
    summary = pretraining.summarize(trainings("random", 0) + trainings("bundled", 0.1))
    (difference,) = summary["differences"]
    assert (difference["of"][1], difference["than"][1]) == ("bundled", "random")
    expected = stats.ttest_1samp(0.1 * rates, 0).confidence_interval(0.95)
    for name in ("unchanged", "changed"):
        assert difference[name]["mean"] == pytest.approx(0.1 * rates.mean())
        assert (difference[name]["low"], difference[name]["high"]) == pytest.approx((expected.low, expected.high))
    assert summary["means"][0]["unchanged"] == pytest.approx(base.mean())


@pytest.mark.usefixtures("trained")
def test_changes_are_averaged_by_kind(capsys, folder):
    names = list(robustness.changes())
    auc = {"unchanged": 0.9} | {name: 0.8 if name.startswith("gamma") else 0.6 for name in names}
    one = {"network": "bundled", "regime": "transfer_learning", "draw": 1, "roc_auc": auc}
    (means,) = pretraining.summarize([one])["means"]
    found = {name: means[name] for name in ("unchanged", "gamma", "contrast", "shifted", "zoomed", "changed")}
    assert found == pytest.approx(
        {"unchanged": 0.9, "gamma": 0.8, "contrast": 0.6, "shifted": 0.6, "zoomed": 0.6, "changed": 0.65}
    )
    run(folder)
    printed = capsys.readouterr().out
    assert "Transfer learning, bundled" in printed
    assert "+0.100 (+0.100 to +0.100)" in printed


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--path", "missing"], "there is no folder missing: check --path"),
        (["--imagenet", "missing.h5"], "there is no weights file missing.h5"),
        (["--images", "7"], "--images is 7: give an even number"),
        (["--images", "-2"], "--images is -2"),
        (["--draws", "1"], "--draws is 1: give 2 or more"),
        (["--epochs", "0"], "give 1 or more --epochs, and a --patience of 0 or more"),
    ],
)
def test_a_mistake_is_one_line(words, message, folder, capsys):
    with pytest.raises(SystemExit) as stopped:
        run(folder, *words)
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.usefixtures("trained")
def test_images_are_ingested_and_prepared_once(tmp_path, monkeypatch):
    commands = []

    def step(arguments):
        commands.append(arguments[1])
        if arguments[1] == "components.preprocess":
            write_prepared(tmp_path / "prepared")

    monkeypatch.setattr(measure, "run", step)
    run(tmp_path)
    run(tmp_path)
    assert commands == ["components.ingest", "components.preprocess"]


@pytest.mark.slow
def test_real_trainings_are_scored_as_they_are_and_changed(folder):
    result = run(folder, "--networks", "random", "--regimes", "transfer_learning", "custom_cnn")
    assert len(result["trainings"]) == 4
    for one in result["trainings"]:
        assert one["roc_auc"].keys() == {"unchanged", *robustness.changes()}
        assert all(0 <= auc <= 1 for auc in one["roc_auc"].values())
    assert len({one["roc_auc"]["unchanged"] for one in result["trainings"]}) > 1
