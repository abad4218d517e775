"""The YAML says what Kubeflow must know: graph, images, resources, names, and nothing installed at run time."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from kfp import components as kfp_components

from compile import COMPONENTS, compile_all, image, main
from components.artifacts.names import REGIME_TITLES, REGIMES
from pipelines.benchmark import Settings

PROJECT = Path(__file__).parents[2]


def read(path):
    return next(yaml.safe_load_all(path.read_text()))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    target = tmp_path_factory.mktemp("build")
    compile_all(Settings(data_image="r/data:1", train_image="r/train:1"), target)
    return target


@pytest.fixture(scope="module")
def pipeline(folder):
    return read(folder / "pneumonia_benchmark.yaml")


@pytest.fixture(scope="module")
def loop(pipeline):
    """The body of the loop over seeds."""
    return pipeline["components"]["comp-for-loop-1"]["dag"]["tasks"]


def executor_of(pipeline, task):
    label = pipeline["components"][task["componentRef"]["name"]]["executorLabel"]
    return pipeline["deploymentSpec"]["executors"][label]["container"]


def of_step(tasks, step):
    return {name: task for name, task in tasks.items() if task["taskInfo"]["name"].startswith(step)}


def test_the_graph_is_ingest_preprocess_a_loop_over_seeds_and_compare(pipeline):
    tasks = pipeline["root"]["dag"]["tasks"]
    assert {task["taskInfo"]["name"] for task in tasks.values()} == {"Ingest", "Preprocess", "each-seed", "Compare"}
    assert tasks["preprocess"]["dependentTasks"] == ["ingest"]
    assert tasks["for-loop-1"]["dependentTasks"] == ["preprocess"]
    assert sorted(tasks["compare"]["dependentTasks"]) == ["for-loop-1", "preprocess"]
    assert tasks["for-loop-1"]["parameterIterator"]["items"]["inputParameter"] == "pipelinechannel--seeds"
    assert "iteratorPolicy" not in tasks["for-loop-1"], "on a cluster, seeds run side by side"


def test_each_regime_is_a_train_task_that_depends_on_preprocess_alone(loop):
    trains, evaluations = of_step(loop, "Train"), of_step(loop, "Evaluate")
    assert {task["taskInfo"]["name"] for task in trains.values()} == {f"Train: {REGIME_TITLES[r]}" for r in REGIMES}
    regimes = {task["inputs"]["parameters"]["regime"]["runtimeValue"]["constant"] for task in trains.values()}
    assert regimes == set(REGIMES)
    assert all("dependentTasks" not in task for task in trains.values())
    assert sorted(task["dependentTasks"][0] for task in evaluations.values()) == sorted(trains)


def test_compare_takes_evaluations_and_the_summary_and_neither_images_nor_models(pipeline):
    inputs = pipeline["root"]["dag"]["tasks"]["compare"]["inputs"]["artifacts"]
    assert set(inputs) == {*REGIMES, "dataset_summary"}
    assert all("evaluation" in inputs[regime]["taskOutputArtifact"]["outputArtifactKey"] for regime in REGIMES)


def test_train_tasks_ask_for_one_gpu_cpu_and_memory(pipeline, loop):
    for task in of_step(loop, "Train").values():
        resources = executor_of(pipeline, task)["resources"]
        assert resources["accelerator"]["resourceType"] == "nvidia.com/gpu"
        assert resources["accelerator"]["resourceCount"] == "1"
        assert resources["resourceCpuRequest"] == "4"
        assert resources["resourceMemoryRequest"] == "16G"
    for task in of_step(loop, "Evaluate").values():
        assert "accelerator" not in executor_of(pipeline, task).get("resources", {})


def test_without_gpus_no_task_asks_for_one(tmp_path):
    main(["--gpus", "0", "--output", str(tmp_path)])
    text = (tmp_path / "pneumonia_benchmark.yaml").read_text()
    assert "accelerator" not in text
    assert "nvidia" not in text


def test_number_and_kind_of_gpus_are_the_command_lines(tmp_path):
    main(["--gpus", "2", "--accelerator", "amd.com/gpu", "--output", str(tmp_path)])
    pipeline = read(tmp_path / "pneumonia_benchmark.yaml")
    accelerators = [
        executor["container"]["resources"]["accelerator"]
        for name, executor in pipeline["deploymentSpec"]["executors"].items()
        if name.startswith("exec-train")
    ]
    assert {(a["resourceType"], a["resourceCount"]) for a in accelerators} == {("amd.com/gpu", "2")}
    assert len(accelerators) == 4


def test_steps_run_in_the_image_that_has_what_they_need(pipeline):
    images = {
        name.removeprefix("exec-").rstrip("-234"): executor["container"]["image"]
        for name, executor in pipeline["deploymentSpec"]["executors"].items()
    }
    assert images == {
        "ingest": "r/data:1",
        "preprocess": "r/data:1",
        "compare": "r/data:1",
        "train": "r/train:1",
        "evaluate": "r/train:1",
    }


def test_nothing_is_installed_at_run_time(folder):
    files = sorted(folder.rglob("*.yaml"))
    assert len(files) == 1 + len(COMPONENTS)
    for file in files:
        assert "pip install" not in file.read_text()
        assert "pip3" not in file.read_text()


def test_data_steps_may_come_from_the_cache_and_measured_ones_never(pipeline, loop):
    tasks = pipeline["root"]["dag"]["tasks"]
    assert tasks["ingest"]["cachingOptions"] == tasks["preprocess"]["cachingOptions"] == {"enableCache": True}
    assert tasks["compare"]["cachingOptions"] == {}
    assert all(task["cachingOptions"] == {} for task in loop.values())


def test_the_pipelines_parameters_have_these_names_and_types(pipeline):
    parameters = pipeline["root"]["inputDefinitions"]["parameters"]
    assert {name: value["parameterType"] for name, value in parameters.items()} == {
        "source": "STRING",
        "path": "STRING",
        "synthetic_images": "NUMBER_INTEGER",
        "synthetic_size": "NUMBER_INTEGER",
        "synthetic_difficulty": "NUMBER_DOUBLE",
        "data_seed": "NUMBER_INTEGER",
        "image_size": "NUMBER_INTEGER",
        "backbone": "STRING",
        "weights": "STRING",
        "epochs": "NUMBER_INTEGER",
        "batch_size": "NUMBER_INTEGER",
        "learning_rate": "NUMBER_DOUBLE",
        "trainable_layers": "NUMBER_INTEGER",
        "patience": "NUMBER_INTEGER",
        "seeds": "LIST",
    }
    assert parameters["seeds"]["defaultValue"] == [1]
    assert all(value["description"] for value in parameters.values())
    item = pipeline["components"]["comp-for-loop-1"]["inputDefinitions"]["parameters"][
        "pipelinechannel--seeds-loop-item"
    ]
    assert item["parameterType"] == "NUMBER_INTEGER"


def test_kfp_loads_every_yaml_back(folder):
    names = {path.stem: kfp_components.load_component_from_file(str(path)).name for path in folder.rglob("*.yaml")}
    assert names == {
        "pneumonia_benchmark": "pneumonia-benchmark",
        **{component.name: component.name for component in COMPONENTS},
    }


def test_an_image_is_named_by_registry_name_and_tag():
    assert image("data", "ghcr.io/me/", "1.2") == "ghcr.io/me/data:1.2"
    assert image("data", "", "1.2") == "data:1.2"


@pytest.mark.parametrize(
    ("words", "message"), [(["--gpus", "-1"], "--gpus is -1"), (["--tag", "a b"], "--tag 'a b' is no image tag")]
)
def test_a_mistake_is_one_line(words, message, capsys, tmp_path):
    with pytest.raises(SystemExit) as stopped:
        main([*words, "--output", str(tmp_path)])
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err


def test_compiling_imports_no_tensorflow():
    code = "import sys, compile; sys.exit('tensorflow' in sys.modules or 'keras' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=PROJECT, check=False).returncode == 0
