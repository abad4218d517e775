"""Each task has the image, resources, nodes, security, volumes, secrets and retries of its settings."""

import pytest

from compile import main
from pipelines.settings import STEPS
from tests.pipelines.compiled import executor_of, executors, of_step, read


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
        "check": "r/data:1",
        "train": "r/train:1",
        "evaluate": "r/train:1",
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
    assert {name.rstrip("-234") for name in of} == {*STEPS, "check"}
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


@pytest.mark.parametrize(
    ("words", "seeing"),
    [
        (["--checkpoints", "s3://bucket/kept"], {"ingest", "train", "train-2", "train-3", "train-4"}),
        (["--checkpoint-claim", "kept"], {"ingest"}),
    ],
)
def test_trainings_see_secrets_only_if_their_checkpoints_are_in_an_object_store(tmp_path, words, seeing):
    words = [*words, "--secret", "AWS_SECRET_ACCESS_KEY=s3/key", "--secret-file", "gcp=/secrets/gcp"]
    of = executors(tmp_path, *words, "--env", "AWS_ENDPOINT_URL=http://store:9000")
    for what in ("secretAsEnv", "secretAsVolume"):
        assert {name for name, (_, pod) in of.items() if what in pod} == seeing
    assert {name for name, (container, _) in of.items() if "http://store:9000" in str(container)} == seeing


def test_trainings_never_see_what_only_sources_need(tmp_path):
    secrets = ["KAGGLE_KEY=kaggle/key", "PNEUMONIA_BENCHMARK_PATIENT_KEY=names/key", "AWS_SECRET_ACCESS_KEY=s3/key"]
    variables = ["PNEUMONIA_BENCHMARK_REQUESTER_PAYS=1", "PNEUMONIA_BENCHMARK_ALLOW_HTTP=1"]
    words = ["--checkpoints", "s3://bucket", "--secret", *secrets, "--env", *variables]
    container, pod = executors(tmp_path, *words)["train"]
    assert [given["keyToEnv"][0]["envVar"] for given in pod["secretAsEnv"]] == ["AWS_SECRET_ACCESS_KEY"]
    assert {given["name"] for given in container["env"]} == {
        "TF_NUM_INTRAOP_THREADS",
        "PNEUMONIA_BENCHMARK_REQUESTER_PAYS",
    }


def test_ingest_and_train_see_volumes(tmp_path):
    of = executors(tmp_path, "--volume", "xrays=/data", "nets=/weights")
    seeing = {name.rstrip("-234") for name, (_, pod) in of.items() if "pvcMount" in pod}
    assert seeing == {"ingest", "train"}
    mounts = [(mount["constant"], mount["mountPath"]) for mount in of["train-2"][1]["pvcMount"]]
    assert mounts == [("xrays", "/data"), ("nets", "/weights")]


def test_check_has_the_settings_of_compare(tmp_path):
    words = ["--memory", "compare=3G", "--toleration", "compare:spot", "--timeout", "compare=77"]
    of = executors(tmp_path, *words)
    assert of["check"][0]["resources"] == of["compare"][0]["resources"]
    assert of["check"][1] == of["compare"][1]
    assert of["check"][1]["activeDeadlineSeconds"] == "77"


def test_the_claim_for_checkpoints_is_mounted_in_train_alone(tmp_path):
    of = executors(tmp_path, "--volume", "nets=/weights", "--checkpoint-claim", "kept")
    mounts = {
        name: [(mount["constant"], mount["mountPath"]) for mount in pod.get("pvcMount", [])]
        for name, (_, pod) in of.items()
    }
    having = {name for name, mounted in mounts.items() if ("kept", "/checkpoints") in mounted}
    assert having == {"train", "train-2", "train-3", "train-4"}
    assert mounts["ingest"] == [("nets", "/weights")]


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


def test_only_record_sees_the_credentials_of_the_history(tmp_path):
    words = ["--tracking-uri", "https://host", "--checkpoints", "s3://bucket/kept", "--volume", "data=/data"]
    secrets = ["MLFLOW_TRACKING_TOKEN=mlflow/token", "KAGGLE_KEY=kaggle/key", "AWS_SECRET_ACCESS_KEY=s3/key"]
    secrets += ["PNEUMONIA_BENCHMARK_NOTIFY_URL=alarms/url"]
    variables = ["MLFLOW_TRACKING_INSECURE_TLS=true", "AWS_ENDPOINT_URL=http://store:9000"]
    of = executors(tmp_path, *words, "--secret", *secrets, "--env", *variables)
    for name, (container, pod) in of.items():
        seen = {entry["envVar"] for secret in pod.get("secretAsEnv", []) for entry in secret["keyToEnv"]}
        assert ("PNEUMONIA_BENCHMARK_NOTIFY_URL" in seen) == (name == "record")
        assert ("MLFLOW_TRACKING_TOKEN" in seen) == (name == "record")
        assert ("MLFLOW_TRACKING_INSECURE_TLS" in str(container)) == (name == "record")
    container, pod = of["record"]
    assert [secret["secretName"] for secret in pod["secretAsEnv"]] == ["mlflow", "alarms"]
    assert "AWS" not in str(container)
    assert "pvcMount" not in pod
    assert container["resources"] == of["compare"][0]["resources"]
    assert container["image"] == of["compare"][0]["image"]


def test_a_history_in_a_file_has_its_volume_and_no_other(tmp_path):
    words = ["--tracking-uri", "sqlite:////runs/history/mlflow.db", "--volume", "data=/data", "history=/runs/history"]
    of = executors(tmp_path, *words)
    mounted = {mount["pvcNameParameter"]["runtimeValue"]["constant"] for mount in of["record"][1]["pvcMount"]}
    assert mounted == {"history"}
    assert "pvcMount" not in of["compare"][1]
