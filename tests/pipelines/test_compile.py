"""The YAML says what Kubeflow must know: graph, images, resources, names, and nothing installed at run time."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from kfp import components as kfp_components

from compile import main
from components.artifacts.names import REGIMES
from pipelines.compiling import COMPONENTS
from pipelines.settings import STEPS

PROJECT = Path(__file__).parents[2]


def read(path):
    return next(yaml.safe_load_all(path.read_text()))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    target = tmp_path_factory.mktemp("build")
    main(["--data-image", "r/data:1", "--train-image", "r/train:1", "--output", str(target)])
    return target


def executors(folder, *words):
    """The executors of the pipeline compiled with these options: {step: (container, Kubernetes settings)}."""
    main([*words, "--output", str(folder)])
    pipeline, platform = yaml.safe_load_all((folder / "pneumonia_benchmark.yaml").read_text())
    containers = pipeline["deploymentSpec"]["executors"]
    kubernetes = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    assert set(kubernetes) == set(containers)
    return {name.removeprefix("exec-"): (containers[name]["container"], kubernetes[name]) for name in containers}


@pytest.fixture(scope="module")
def pipeline(folder):
    return read(folder / "pneumonia_benchmark.yaml")


@pytest.fixture(scope="module")
def tasks(pipeline):
    """The graph."""
    return pipeline["root"]["dag"]["tasks"]


def executor_of(pipeline, task):
    label = pipeline["components"][task["componentRef"]["name"]]["executorLabel"]
    return pipeline["deploymentSpec"]["executors"][label]["container"]


def of_step(tasks, step):
    return {name: task for name, task in tasks.items() if task["taskInfo"]["name"].startswith(step)}


def test_the_graph_is_flat(tasks):
    """On a backend, a loop doubles the nodes of the workflow, whose status must stay small."""
    assert {task["taskInfo"]["name"]: sorted(task.get("dependentTasks", [])) for task in tasks.values()} == {
        "Ingest": [],
        "Preprocess": ["ingest"],
        "Train: Custom CNN": ["preprocess"],
        "Train: Transfer learning": ["preprocess"],
        "Train: Partial fine-tuning": ["preprocess"],
        "Train: Full fine-tuning": ["preprocess"],
        "Evaluate: Custom CNN": ["preprocess", "train"],
        "Evaluate: Transfer learning": ["preprocess", "train-2"],
        "Evaluate: Partial fine-tuning": ["preprocess", "train-3"],
        "Evaluate: Full fine-tuning": ["preprocess", "train-4"],
        "Evaluate: baseline": ["preprocess"],
        "Compare": ["evaluate", "evaluate-2", "evaluate-3", "evaluate-4", "evaluate-floor", "preprocess"],
    }
    assert not any("parameterIterator" in task or "artifactIterator" in task for task in tasks.values())


def test_each_regime_is_a_train_task_for_all_seeds(tasks):
    trains = of_step(tasks, "Train")
    inputs = [task["inputs"]["parameters"] for task in trains.values()]
    assert [one["regime"]["runtimeValue"]["constant"] for one in inputs] == list(REGIMES)
    for name in ("seed", "seeds"):
        assert {one[name]["componentInputParameter"] for one in inputs} == {name}


def test_compare_takes_evaluations_and_the_summary_and_neither_images_nor_models(pipeline):
    inputs = pipeline["root"]["dag"]["tasks"]["compare"]["inputs"]["artifacts"]
    assert set(inputs) == {*REGIMES, "floor", "dataset_summary"}
    assert all("evaluation" in inputs[regime]["taskOutputArtifact"]["outputArtifactKey"] for regime in REGIMES)


def test_a_second_data_set_reaches_every_evaluation_and_no_training(tmp_path):
    main(["--external-test", "/data/elsewhere", "--output", str(tmp_path)])
    found = read(tmp_path / "pneumonia_benchmark.yaml")
    tasks = found["root"]["dag"]["tasks"]
    assert tasks["ingest-2"]["inputs"]["parameters"]["path"]["runtimeValue"]["constant"] == "/data/elsewhere"
    assert tasks["preprocess-2"]["dependentTasks"] == ["ingest-2"]
    assert "external_dataset" in tasks["evaluate-floor"]["inputs"]["artifacts"]
    for task in of_step(tasks, "Evaluate").values():
        assert "external_dataset" in task["inputs"]["artifacts"]
    for task in of_step(tasks, "Train").values():
        assert set(task["inputs"]["artifacts"]) == {"prepared_dataset"}


def test_train_tasks_ask_for_one_gpu_cpu_and_memory(pipeline, tasks):
    for task in of_step(tasks, "Train").values():
        resources = executor_of(pipeline, task)["resources"]
        assert resources["accelerator"]["resourceType"] == "nvidia.com/gpu"
        assert resources["accelerator"]["resourceCount"] == "1"
        assert resources["resourceCpuRequest"] == resources["resourceCpuLimit"] == "2"
        assert resources["resourceMemoryRequest"] == resources["resourceMemoryLimit"] == "8G"
    for task in of_step(tasks, "Evaluate").values():
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
        "evaluate-floor": "r/train:1",
    }


def test_nothing_is_installed_at_run_time(folder):
    files = sorted(folder.rglob("*.yaml"))
    assert len(files) == 1 + len(COMPONENTS)
    for file in files:
        assert "pip install" not in file.read_text()
        assert "pip3" not in file.read_text()


def test_data_steps_may_come_from_the_cache_and_measured_ones_never(tasks):
    assert tasks["preprocess"]["cachingOptions"] == {"enableCache": True}
    # What a source holds may change without its name.
    assert tasks["ingest"]["cachingOptions"] == {}
    measured = of_step(tasks, "Train") | of_step(tasks, "Evaluate") | of_step(tasks, "Compare")
    assert len(measured) == 10
    assert all(task["cachingOptions"] == {} for task in measured.values())


def test_the_pipelines_parameters_have_these_names_and_types(pipeline):
    parameters = pipeline["root"]["inputDefinitions"]["parameters"]
    assert {name: value["parameterType"] for name, value in parameters.items()} == {
        "source": "STRING",
        "path": "STRING",
        "sha256": "STRING",
        "pneumoniamnist_size": "NUMBER_INTEGER",
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
        "target_sensitivity": "NUMBER_DOUBLE",
        "gpu_hour_price": "NUMBER_DOUBLE",
        "cpu_hour_price": "NUMBER_DOUBLE",
        "max_bad_fraction": "NUMBER_DOUBLE",
        "deduplicate": "BOOLEAN",
        "resplit": "BOOLEAN",
        "report_images": "BOOLEAN",
        "seed": "NUMBER_INTEGER",
        "seeds": "NUMBER_INTEGER",
    }
    assert parameters["seeds"]["defaultValue"] == 3
    assert all(value["description"] for value in parameters.values())


def test_kfp_loads_every_yaml_back(folder):
    names = {path.stem: kfp_components.load_component_from_file(str(path)).name for path in folder.rglob("*.yaml")}
    assert names == {
        "pneumonia_benchmark": "pneumonia-benchmark",
        **{component.name: component.name for component in COMPONENTS},
    }


def test_resources_are_the_command_lines(tmp_path):
    of = executors(tmp_path, "--cpu", "3", "train=500m", "--cpu-limit", "train=6", "--memory-limit", "evaluate=9Gi")
    assert of["ingest"][0]["resources"]["resourceCpuRequest"] == "3"
    assert of["train"][0]["resources"]["resourceCpuRequest"] == "500m"
    assert of["train"][0]["resources"]["resourceCpuLimit"] == "6"
    assert of["evaluate"][0]["resources"]["resourceMemoryRequest"] == "4G"
    assert of["evaluate"][0]["resources"]["resourceMemoryLimit"] == "9Gi"


def test_tensorflow_takes_as_many_threads_as_its_pod_has_processors(tmp_path):
    of = executors(tmp_path, "--cpu", "4", "evaluate=1500m")
    threads = {"name": "TF_NUM_INTRAOP_THREADS"}
    assert threads | {"value": "4"} in of["train"][0]["env"]
    assert threads | {"value": "2"} in of["evaluate"][0]["env"]
    assert "env" not in of["preprocess"][0]


def test_every_pod_runs_as_another_user_than_root_with_its_own_tmp_and_a_time_limit(tmp_path):
    of = executors(tmp_path)
    assert {name.rstrip("-234") for name in of} == {*STEPS, "evaluate-floor"}
    for _, pod in of.values():
        assert pod["securityContext"] == {"runAsNonRoot": True}
        assert {"volumeName": "scratch", "mountPath": "/tmp"} in pod["emptyDirMounts"]
        assert int(pod["activeDeadlineSeconds"]) >= 3600
        assert pod["imagePullPolicy"] == "IfNotPresent"


def test_user_scratch_and_pulling_are_the_command_lines(tmp_path):
    words = ["--user", "1001", "--scratch", "ingest=50Gi", "--pull-policy", "Always", "--pull-secret", "one", "two"]
    pod = executors(tmp_path, *words)["ingest"][1]
    assert pod["securityContext"] == {"runAsNonRoot": True, "runAsUser": "1001"}
    assert pod["emptyDirMounts"] == [{"volumeName": "scratch", "mountPath": "/tmp", "sizeLimit": "50Gi"}]
    assert pod["imagePullPolicy"] == "Always"
    assert [secret["secretName"] for secret in pod["imagePullSecret"]] == ["one", "two"]


def test_tmp_can_be_a_volume_of_a_storage_class(tmp_path):
    pod = executors(tmp_path, "--scratch-class", "fast", "--scratch", "80Gi")["ingest"][1]
    (volume,) = pod["genericEphemeralVolume"]
    assert (volume["mountPath"], volume["size"], volume["storageClassName"]) == ("/tmp", "80Gi", "fast")
    assert "emptyDirMounts" not in pod


def test_only_train_has_shared_memory(tmp_path):
    of = executors(tmp_path, "--shm", "3Gi")
    having = {name.rstrip("-234") for name, (_, pod) in of.items() if "/dev/shm" in str(pod["emptyDirMounts"])}
    assert having == {"train"}
    memory = {"volumeName": "shared-memory", "mountPath": "/dev/shm", "medium": "Memory", "sizeLimit": "3Gi"}
    assert all(memory in of[f"train{number}"][1]["emptyDirMounts"] for number in ("", "-2", "-3", "-4"))


def test_selectors_and_tolerations_hold_for_all_steps_or_for_one(tmp_path):
    words = ["--node-selector", "pool=small", "train:nvidia.com/gpu.product=L4"]
    words += ["--toleration", "spot=true:NoExecute", "train:nvidia.com/gpu:NoSchedule", "evaluate:any"]
    of = executors(tmp_path, *words)
    spot = {"key": "spot", "operator": "Equal", "value": "true", "effect": "NoExecute"}
    assert of["ingest"][1]["nodeSelector"]["labels"] == {"pool": "small"}
    assert of["ingest"][1]["tolerations"] == [spot]
    assert of["train-3"][1]["nodeSelector"]["labels"] == {"pool": "small", "nvidia.com/gpu.product": "L4"}
    assert of["train-3"][1]["tolerations"] == [
        spot,
        {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"},
    ]
    assert {"key": "any", "operator": "Exists"} in of["evaluate"][1]["tolerations"]


def test_ingest_alone_sees_secrets_and_variables(tmp_path):
    words = ["--secret", "KAGGLE_KEY=kaggle/api-key", "--secret-file", "gcp=/secrets/gcp", "--env", "A_B=c=d e"]
    of = executors(tmp_path, *words)
    container, pod = of["ingest"]
    assert pod["secretAsEnv"][0]["secretName"] == "kaggle"
    assert pod["secretAsEnv"][0]["keyToEnv"] == [{"secretKey": "api-key", "envVar": "KAGGLE_KEY"}]
    assert (pod["secretAsVolume"][0]["secretName"], pod["secretAsVolume"][0]["mountPath"]) == ("gcp", "/secrets/gcp")
    assert container["env"] == [{"name": "A_B", "value": "c=d e"}]
    for name, (container, pod) in of.items():
        if name != "ingest":
            assert not {"secretAsEnv", "secretAsVolume"} & set(pod)
            assert "A_B" not in str(container)


def test_ingest_and_train_see_volumes(tmp_path):
    of = executors(tmp_path, "--volume", "xrays=/data", "nets=/weights")
    seeing = {name.rstrip("-234") for name, (_, pod) in of.items() if "pvcMount" in pod}
    assert seeing == {"ingest", "train"}
    mounts = [(mount["constant"], mount["mountPath"]) for mount in of["train-2"][1]["pvcMount"]]
    assert mounts == [("xrays", "/data"), ("nets", "/weights")]


def test_steps_that_can_lose_their_node_are_tried_again_and_time_suffices_for_all_attempts(tasks):
    policies = {task["taskInfo"]["name"].split(":")[0]: task.get("retryPolicy") for task in tasks.values()}
    assert policies["Preprocess"] is None
    assert policies["Compare"] is None
    assert policies["Ingest"] == {
        "maxRetryCount": 3,
        "backoffDuration": "30s",
        "backoffFactor": 2.0,
        "backoffMaxDuration": f"{4 * 21600 + 30 + 60 + 120}s",
    }
    for name, attempts in (("Train", 3), ("Evaluate", 3)):
        assert policies[name]["maxRetryCount"] == attempts - 1
        assert int(policies[name]["backoffMaxDuration"].rstrip("s")) >= attempts * 7200


def test_caches_are_switched_by_option(tmp_path):
    main(["--cache-ingest", "--cache-training", "--output", str(tmp_path)])
    tasks = read(tmp_path / "pneumonia_benchmark.yaml")["root"]["dag"]["tasks"]
    assert tasks["ingest"]["cachingOptions"] == {"enableCache": True}
    assert all(task["cachingOptions"] == {"enableCache": True} for task in of_step(tasks, "Train").values())
    # The speed of inference is measured in every run.
    assert all(task["cachingOptions"] == {} for task in of_step(tasks, "Evaluate").values())


def test_what_is_asked_of_the_cluster_is_printed_as_a_table(tmp_path, capsys):
    words = ["--secret", "KAGGLE_KEY=kaggle/key", "--secret-file", "gcp=/gcp", "--user", "1001", "--timeout", "train=0"]
    main([*words, "--gpus", "2", "--output", str(tmp_path)])
    _, table, size = capsys.readouterr().out.split("\n\n")
    rows = {line.split("  ")[0]: line for line in table.splitlines()}
    assert list(rows) == ["task", "Ingest", "Preprocess", "4 x Train", "5 x Evaluate", "Compare"]
    assert "KAGGLE_KEY from kaggle/key, /gcp from gcp" in rows["Ingest"]
    assert rows["4 x Train"].split()[3:] == [
        "2",
        "8G",
        "2",
        "nvidia.com/gpu",
        "2",
        "never",
        "non-root",
        "1001",
        "-",
        "no",
    ]
    assert rows["Preprocess"].split()[-1] == "yes"
    assert re.match(r"status of a run: about \d+0 KB of the 1 MB that Kubeflow Pipelines 2\.17 can read\n", size)


def test_a_mistake_is_one_line(capsys, tmp_path):
    with pytest.raises(SystemExit) as stopped:
        main(["--gpus", "-1", "--output", str(tmp_path)])
    assert stopped.value.code == 2
    assert "--gpus '-1' is not understood: give a whole number" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_compiling_imports_no_tensorflow():
    code = "import sys, compile; sys.exit('tensorflow' in sys.modules or 'keras' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=PROJECT, check=False).returncode == 0
