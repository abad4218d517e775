"""The benchmark of GPUs, on a CPU: what it measures, what it leaves out, and its table."""

import json

import keras
import pytest

from benchmarks import gpu, gpu_training
from components.artifacts.prepared_dataset import PreparedDataset
from components.parameters import TrainParameters
from components.train import device, session

pytestmark = pytest.mark.medium

FOUND = {
    "images_per_second": 1234.5,
    "repeated_images_per_second": 2469.0,
    "busy": 0.5,
    "first_seconds": 3.21,
    "train_seconds": 9.87,
    "epochs": 3,
    "peak_memory_mb": 700.0,
    "peak_gpu_memory_mb": None,
    "hardware": {"cpu": "A processor", "cores": 2, "memory_gb": 16.0, "gpu": None},
    "deterministic": True,
    "backend": "tensorflow",
    "policy": "float32",
}


@pytest.fixture
def trained(monkeypatch):
    """Stands in for the trainings; gives their sizes and regimes."""
    seen = []

    def train(dataset, regime, _arguments, _seconds):
        data = PreparedDataset.load(dataset)
        seen.append((data.info["image_size"], len(data.splits["train"]), len(data.splits["validation"]), regime))
        return {"left_out": "it failed: no memory"} if regime == "full_fine_tuning" else FOUND

    monkeypatch.setattr(gpu, "_train", train)
    return seen


def test_every_regime_is_trained_at_every_size_and_told_in_a_table(trained, tmp_path, capsys):
    regimes = ["custom_cnn", "full_fine_tuning"]
    words = ["--images", "40", "--sizes", "32", "48", "--output", str(tmp_path / "gpu.json"), "--regimes", *regimes]
    gpu.main(words)
    assert trained == [(size, 40, 5, regime) for size in (32, 48) for regime in regimes]
    rows = json.loads((tmp_path / "gpu.json").read_text())["rows"]
    assert [(row["size"], row["regime"]) for row in rows] == [(size, regime) for size in (32, 48) for regime in regimes]
    printed = capsys.readouterr().out
    assert "| 32 | Custom CNN | 1,234 | 2,469 | 50% | 3.2 | 9.9 | – | 700 |" in printed
    assert "| 48 | Full fine-tuning | left out: it failed: no memory |  |  |  |  |  |  |" in printed
    assert "no GPU, tensorflow, float32, deterministic; " in printed


def test_what_there_is_no_time_for_is_left_out(trained, tmp_path):
    words = ["--images", "40", "--sizes", "32", "--minutes", "1e-9", "--output", str(tmp_path / "gpu.json")]
    gpu.main(words)
    assert trained == []
    rows = json.loads((tmp_path / "gpu.json").read_text())["rows"]
    assert [row["left_out"] for row in rows] == ["no time was left"] * 4


@pytest.mark.parametrize(("seconds", "reason"), [(0.05, "the time was up"), (60, "it failed: ")])
def test_a_training_that_takes_too_long_or_fails_is_left_out(tmp_path, seconds, reason):
    arguments = gpu._parser().parse_args([])
    assert gpu._train(tmp_path / "nothing", "custom_cnn", arguments, seconds)["left_out"].startswith(reason)


@pytest.mark.parametrize(
    "words", [["--images", "4"], ["--epochs", "1"], ["--sizes", "16"], ["--minutes", "0"], ["--output", "no/where/x"]]
)
def test_a_mistake_is_told_in_one_line(words, capsys):
    with pytest.raises(SystemExit, match="2"):
        gpu.main(words)
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("together", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_a_training_is_measured_and_its_repeated_step_changes_nothing(together, tmp_path, monkeypatch):
    monkeypatch.setattr(device, "steps_together", lambda: together)
    monkeypatch.setattr(device, "jit_compile", lambda: together)
    monkeypatch.setattr(gpu_training, "REPEATED_SECONDS", 0.2)
    monkeypatch.setattr(gpu_training.MeasuredPhase, "repeating_seconds", 0.0)
    monkeypatch.setattr(session, "Phase", session.Phase)  # and back
    kept = []

    class Spy(gpu_training.MeasuredPhase):
        def run(self, *arguments):
            diverged = super().run(*arguments)
            kept.append([array.tobytes() for array in self._model.get_weights()])
            kept.append([array.tobytes() for array in self._validation._choice.state])
            return diverged

    monkeypatch.setattr(gpu_training, "MeasuredPhase", Spy)
    gpu.simulate(tmp_path / "data", 64, 32)
    parameters = TrainParameters(weights="none", patience=0, seeds=1, epochs=2, batch_size=16)
    found = gpu_training.measure(tmp_path / "data", "custom_cnn", parameters)
    assert found.keys() == FOUND.keys()
    assert found["epochs"] == 2
    assert found["backend"] == keras.backend.backend()
    assert 0 < found["busy"] <= 1
    assert found["busy"] == pytest.approx(min(1, found["images_per_second"] / found["repeated_images_per_second"]))
    assert 0 < found["first_seconds"] < found["train_seconds"]
    weights, best = kept
    assert set(best) <= set(weights)


@pytest.mark.slow
def test_a_head_that_is_solved_has_no_steps_to_measure(tmp_path, monkeypatch):
    monkeypatch.setattr(session, "Phase", session.Phase)  # and back
    monkeypatch.setattr(gpu_training.MeasuredPhase, "found", {"images": 1})
    gpu.simulate(tmp_path / "data", 64, 32)
    parameters = TrainParameters(weights="none", seeds=1, epochs=2, batch_size=16)
    found = gpu_training.measure(tmp_path / "data", "transfer_learning", parameters)
    assert found.keys() == FOUND.keys()
    assert found["images_per_second"] is found["busy"] is None
    assert found["train_seconds"] > 0


def test_a_head_that_is_solved_has_its_time_in_the_table():
    steps = dict.fromkeys(("images_per_second", "repeated_images_per_second", "busy", "first_seconds"))
    row = FOUND | steps | {"size": 96, "regime": "transfer_learning"}
    assert gpu._cells(row) == ["96", "Transfer learning", "–", "–", "–", "–", "9.9", "–", "700"]
    assert gpu._told(row) == "solved in 9.9 s"
