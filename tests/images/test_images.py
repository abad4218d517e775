"""The images themselves: what is in them, and every step in its container. Needs Docker; `make test-images` runs it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from images import build
from tests.imaging.jpeg_encoder import jpeg_lossless, jpeg_ls

PROJECT = Path(__file__).parents[2]
DOCKER = os.environ.get("DOCKER", "docker")
USER = 65532
DATA = os.environ.get("PNEUMONIA_BENCHMARK_DATA")
pytestmark = pytest.mark.images


def docker(*words, check=True):
    done = subprocess.run([DOCKER, *map(str, words)], capture_output=True, text=True, check=False)
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.fixture(scope="session")
def images():
    """The references of data and train image, built."""
    if subprocess.run([DOCKER, "info"], capture_output=True, check=False).returncode:
        pytest.fail(f"{DOCKER} does not answer: these tests need Docker")
    network = os.environ.get("NETWORK")
    words = ["--docker", DOCKER, *(["--network", network] if network else [])]
    subprocess.run([sys.executable, "-m", "images.build", *words], cwd=PROJECT, check=True)
    return [build.reference(image) for image in build.images(gpu=False)]


@pytest.fixture(scope="session")
def in_container(images, tmp_path_factory):
    """Runs a step as a user that is not root, where only `/tmp` and the output folder can be written to."""
    folder = tmp_path_factory.mktemp("out")
    folder.chmod(0o777)
    restricted = ("--read-only", "--tmpfs", "/tmp:mode=1777", "--network", "none", "--cap-drop", "ALL")

    def run(step, *words, check=True):
        image = images[step in ("train", "evaluate")]
        mount = f"type=bind,source={folder},target=/out"
        command = ("python3", "-m", f"components.{step}", *words)
        return docker("run", "--rm", *restricted, "--mount", mount, image, *command, check=check)

    yield run, folder
    docker(
        "run",
        "--rm",
        "--user",
        "0",
        "--mount",
        f"type=bind,source={folder},target=/out",
        images[0],
        "chmod",
        "-R",
        "a+rwX",
        "/out",
    )


def sizes(images):
    return [int(docker("inspect", "--format", "{{.Size}}", image).stdout) / 1e6 for image in images]


def test_images_are_no_larger_than_promised(images):
    data, train = sizes(images)
    assert data < 700
    assert train < 2200


def test_images_name_a_user_by_number_and_carry_labels(images):
    for image in images:
        config = json.loads(docker("inspect", image).stdout)[0]["Config"]
        assert config["User"] == f"{USER}:{USER}"
        labels = {key.rpartition(".")[2]: value for key, value in config["Labels"].items()}
        assert labels["title"] == image.rpartition(":")[0]
        assert labels["version"] == image.rpartition(":")[2]
        assert labels["licenses"] == "MIT"
        assert len(labels["revision"]) >= 7


def test_images_have_no_compiler_no_pip_of_their_own_and_no_cache(images):
    unwanted = "/opt/venv/bin/pip* /root/.cache /tmp/* /app/tests /app/pipelines"
    script = f"for p in cc gcc g++ make; do command -v $p; done; ls -d {unwanted} 2>/dev/null"
    for image in images:
        assert docker("run", "--rm", image, "sh", "-c", script + "; true").stdout == ""


def test_images_have_what_kubeflow_needs(images):
    for image in images:
        done = docker(
            "run",
            "--rm",
            image,
            "sh",
            "-c",
            "for p in sh mktemp python3; do command -v $p; done && python3 -c 'import kfp'",
        )
        assert done.stdout.count("\n") == 3


def test_only_the_train_image_has_tensorflow(images):
    found = [docker("run", "--rm", image, "python3", "-c", "import tensorflow", check=False) for image in images]
    assert [done.returncode == 0 for done in found] == [False, True]


def test_the_data_image_decodes_jpeg_lossless_and_jpeg_ls(images):
    pixels = np.arange(2000, dtype=np.uint16).reshape(40, 50)
    for frame in (jpeg_lossless(pixels, 12), jpeg_ls(pixels, 12)):
        code = f"from components.imaging import jpeg_lossless as decoder; print(*decoder.decode({frame!r}).ravel())"
        done = docker("run", "--rm", "--read-only", images[0], "python3", "-c", code)
        assert list(map(int, done.stdout.split())) == list(range(2000))


def test_every_step_runs_as_non_root_on_a_read_only_file_system(in_container):
    run, out = in_container
    small = ("--synthetic-images", 120, "--synthetic-size", 64)
    run("ingest", "--output", "/out/raw", *small)
    run("preprocess", "/out/raw", "--output", "/out/prepared", "--summary", "/out/summary", "--image-size", 32)
    run("train", "/out/prepared", "custom_cnn", "--output", "/out/model", "--epochs", 1, "--batch-size", 16)
    run("evaluate", "/out/prepared", "/out/model", "--output", "/out/scores")
    run("compare", "/out/scores", "--dataset", "/out/summary", "--output", "/out/comparison")
    run("check", "/out/comparison")
    run("record", "/out/comparison", "--tracking-uri", "sqlite:////out/history/mlflow.db")
    assert (out / "history" / "mlflow.db").stat().st_size > 10_000
    assert (out / "comparison" / "report.html").stat().st_size > 10_000
    assert {path.stat().st_uid for path in out.iterdir()} == {USER}


def test_an_output_that_cannot_be_written_is_one_sentence(in_container):
    run, _ = in_container
    done = run("ingest", "--output", "/raw", "--synthetic-images", 120, check=False)
    assert done.returncode == 2
    assert "is on a read-only disk: choose another folder" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(not DATA, reason="PNEUMONIA_BENCHMARK_DATA does not name a folder with real radiographs")
def test_a_run_in_containers_predicts_what_a_run_in_processes_predicts(images, tmp_path):  # noqa: ARG001 (builds them)
    source = tmp_path / "sample"
    files = sorted((Path(DATA) / "data" / "chest_xray").rglob("*.jp*g"))
    for file in files[:: max(1, len(files) // 150)]:
        copy = source / file.relative_to(Path(DATA) / "data" / "chest_xray")
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(file.read_bytes())
    weights = next((Path(DATA) / "weights").glob("*.h5"))
    words = [
        "--source",
        "directory",
        "--path",
        source,
        "--weights",
        weights,
        "--epochs",
        2,
        "--image-size",
        64,
        "--seeds",
        1,
    ]
    predictions = {}
    for runner in ("subprocess", "docker"):
        output = tmp_path / runner
        command = [sys.executable, "-m", "pipelines.local", *words, "--runner", runner, "--output", output]
        done = subprocess.run([str(word) for word in command], cwd=PROJECT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        folders = [path.parent for path in (output / "latest" / "steps").rglob("evaluation.json")]
        assert len(folders) == 5  # four regimes and the floor
        for folder in folders:
            regime = json.loads((folder / "evaluation.json").read_text())["regime"]
            predictions[runner, regime] = pd.read_csv(folder / "predictions.csv")
    for (runner, regime), table in predictions.items():
        if runner == "docker":
            pd.testing.assert_frame_equal(table, predictions["subprocess", regime])


OUT_OF_MEMORY = """
from components import machine
from components.parameters import TrainParameters
from components.train.supervision import train
found = train("/out/prepared", "/tmp/model", "full_fine_tuning", TrainParameters(weights="none"))
print(found["cause"], machine.killed_for_memory(), found["reason"], sep=" | ")
"""


def test_a_training_that_needs_more_memory_than_its_container_has_is_a_result_and_no_killed_container(images):
    # Half of what TensorFlow alone needs, so that it does not depend on the data.
    limit = ("--memory", "400m", "--memory-swap", "400m")
    done = docker("run", "--rm", *limit, images[1], "python3", "-c", OUT_OF_MEMORY)
    if "does not support memory limit" in done.stderr:
        pytest.skip(f"{DOCKER} cannot limit memory here: {done.stderr}")
    cause, killed, reason = done.stdout.splitlines()[-1].split(" | ")
    assert (cause, killed) == ("out of memory", "0")
    assert "0.4 GB that its container may use" in reason
