import pytest

from components.artifacts import trained_model
from components.artifacts.trained_model import TrainedModel
from components.console import UserError

TRAINING = {"schema_version": 1, "kind": "trained model", "regime": "custom_cnn"}


def test_the_story_is_read_and_the_model_stays_on_disk(tmp_path):
    trained_model.save(tmp_path, TRAINING)
    (tmp_path / "model.keras").write_text("no model")
    found = TrainedModel.load(str(tmp_path))
    assert found.training == TRAINING
    assert found.model_file == tmp_path / "model.keras"


@pytest.mark.parametrize("name", ["training.json", "model.keras"])
def test_a_missing_file_is_named_with_the_remedy(tmp_path, name):
    trained_model.save(tmp_path, TRAINING)
    (tmp_path / "model.keras").write_text("no model")
    (tmp_path / name).unlink()
    with pytest.raises(UserError, match=f"is not a whole trained model: it has no {name}; run the step again"):
        TrainedModel.load(tmp_path)
