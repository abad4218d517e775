import json
import shutil

import pytest

from components.artifacts import files, trained_model
from components.artifacts.trained_model import TrainedModel, load_all
from components.console import UserError


def write(folder, seeds=(1,)):
    """Writes trained models whose files are no models; gives the content of each `training.json`."""
    trainings = []
    for seed in seeds:
        files.seed_folder(folder, seed).mkdir()
        (files.seed_folder(folder, seed) / "model.keras").write_text("no model")
        trainings.append(files.header(trained_model.KIND, files.now(), {}) | {"regime": "custom_cnn", "seed": seed})
    trained_model.save_all(folder, trainings)
    return trainings


def test_the_record_is_read_and_the_model_stays_on_disk(tmp_path):
    (training,) = write(tmp_path)
    found = TrainedModel.load(str(tmp_path / "seed-1"))
    assert found.training == training
    assert found.model_file == tmp_path / "seed-1" / "model.keras"


def test_models_come_seed_by_seed_in_the_order_of_training(tmp_path):
    trainings = write(tmp_path, (9, 10, 11))
    assert [model.training for model in load_all(tmp_path)] == trainings
    assert [model.training for model in load_all(str(tmp_path / "seed-10"))] == [trainings[1]]


def test_the_index_names_regime_seeds_and_what_made_them(tmp_path):
    trainings = write(tmp_path, (9, 10))
    index = json.loads((tmp_path / "models.json").read_text())
    assert (index["regime"], index["seeds"]) == ("custom_cnn", [9, 10])
    assert index["made_by"]["started"] == trainings[0]["made_by"]["started"]
    assert index["made_by"]["finished"] == trainings[1]["made_by"]["finished"]


@pytest.mark.parametrize("seeds", [[], None, "1", [1.5]])
def test_an_index_without_seeds_is_damaged(tmp_path, seeds):
    write(tmp_path)
    index = json.loads((tmp_path / "models.json").read_text())
    (tmp_path / "models.json").write_text(json.dumps(index | {"seeds": seeds}))
    with pytest.raises(UserError, match=r"models\.json is damaged \(it lists no seeds\)"):
        load_all(tmp_path)


def test_a_folder_without_models_is_named(tmp_path):
    with pytest.raises(UserError, match=r"is not a complete trained models: it has no models\.json"):
        load_all(tmp_path)


def test_a_seed_that_is_missing_is_named(tmp_path):
    write(tmp_path, (1, 2))
    shutil.rmtree(tmp_path / "seed-2")
    with pytest.raises(UserError, match=r"seed-2 is not a complete trained model: it has no training\.json"):
        load_all(tmp_path)


@pytest.mark.parametrize("name", ["training.json", "model.keras"])
def test_a_missing_file_is_named_with_the_remedy(tmp_path, name):
    write(tmp_path)
    (tmp_path / "seed-1" / name).unlink()
    with pytest.raises(UserError, match=f"is not a complete trained model: it has no {name}; run the step again"):
        TrainedModel.load(tmp_path / "seed-1")


@pytest.mark.parametrize(
    ("changes", "is_last"),
    [
        ({"best_epoch": 10}, True),
        ({"best_epoch": 9}, False),
        ({"best_epoch": 10, "diverged": True}, False),
        ({"best_epoch": 10, "recipe": {}}, False),
        ({"best_epoch": None, "recipe": {}}, False),
        ({"best_epoch": 10, "cost": {"epochs": 0}}, False),
    ],
    ids=["last", "before", "diverged", "unknown recipe", "baseline", "solved"],
)
def test_the_best_epoch_is_the_last_one_if_no_other_was_asked_for_after_it(changes, is_last):
    assert trained_model.best_epoch_is_last({"recipe": {"epochs": 10}, "cost": {"epochs": 10}} | changes) is is_last
