"""Applies the settings of a step to its task: image, resources, nodes, security, volumes, secrets, retries."""

import math
import re
from collections.abc import Mapping

from kfp import dsl, kubernetes

from components.tracking import names, places
from pipelines.settings import Pod, Settings

BACKOFF = 30
"""Seconds before the first further attempt; each later pause is twice as long."""

_OF_SOURCES = re.compile(r"KAGGLE_\w+|PNEUMONIA_BENCHMARK_(?!REQUESTER_PAYS)\w+")
"""Environment variables that only ingest needs: nobody else gets, for example, the key for names of patients."""

_OF_HISTORIES = re.compile(rf"MLFLOW_\w+|{names.NOTIFY_VARIABLE}")
"""Environment variables that only record needs."""

_OTHERS = re.compile(rf"{_OF_SOURCES.pattern}|{_OF_HISTORIES.pattern}")

TRAIN_STEPS = ("train", "evaluate")
"""The steps that run in the train image; the others run in the data image."""


def configure_task(task: dsl.PipelineTask, step: str, settings: Settings) -> None:
    """Sets image, resources, nodes, security, volumes, secrets, time limit and retries of a task.

    Args:
        task: of the pipeline that is being built.
        step: one of `settings.STEPS`, whose settings apply to the task.
        settings: of the pipeline. Without pods, for a run on this machine, only the image is set.
    """
    task.set_container_image(settings.train_image if step in TRAIN_STEPS else settings.data_image)
    if step not in settings.pods:
        return
    pod = settings.pods[step]
    _resources(task, pod)
    _nodes(task, pod)
    _repeat(task, pod)
    kubernetes.set_image_pull_policy(task, settings.pull_policy)
    if settings.pull_secrets:
        kubernetes.set_image_pull_secrets(task, list(settings.pull_secrets))
    kubernetes.set_security_context(task, run_as_user=settings.user, run_as_non_root=True)
    _scratch(task, pod, settings.scratch_class)
    if step in TRAIN_STEPS:
        # By default, TensorFlow starts a thread per processor of the node, not of the pod.
        task.set_env_variable("TF_NUM_INTRAOP_THREADS", str(max(1, math.ceil(processors(pod.cpu_limit)))))
    if step == "train":
        kubernetes.empty_dir_mount(task, "shared-memory", "/dev/shm", medium="Memory", size_limit=settings.shm)
        if settings.checkpoint_claim:
            kubernetes.mount_pvc(task, settings.checkpoint_claim, settings.checkpoints)
        if settings.gpus:
            task.set_accelerator_type(settings.accelerator).set_accelerator_limit(settings.gpus)
    if step in ("ingest", "train"):
        _volumes(task, settings.volumes)
    if step == "ingest":
        _credentials(task, settings, _OF_HISTORIES)
    if step == "train" and settings.checkpoints_in_store:
        _credentials(task, settings, _OTHERS)


def configure_recording(task: dsl.PipelineTask, settings: Settings) -> None:
    """Gives the record task, in addition to the settings of its step, its credentials or the volume of its file."""
    if not settings.pods:
        return
    for variable, (secret, key) in settings.secrets.items():
        if _OF_HISTORIES.fullmatch(variable):
            kubernetes.use_secret_as_env(task, secret, {key: variable})
    for name, value in settings.variables.items():
        if _OF_HISTORIES.fullmatch(name):
            task.set_env_variable(name, value)
    if file := places.read(settings.tracking_uri).file:
        _volumes(task, places.mounted(file, settings.volumes))


def processors(quantity: str) -> float:
    """The number of processors of a Kubernetes quantity: 2.0 for "2", 0.5 for "500m"."""
    return float(quantity.removesuffix("m")) / (1000 if quantity.endswith("m") else 1)


def _resources(task: dsl.PipelineTask, pod: Pod) -> None:
    task.set_cpu_request(pod.cpu).set_cpu_limit(pod.cpu_limit)
    task.set_memory_request(pod.memory).set_memory_limit(pod.memory_limit)


def _nodes(task: dsl.PipelineTask, pod: Pod) -> None:
    for label, value in pod.node_selector.items():
        kubernetes.add_node_selector(task, label, value)
    for toleration in pod.tolerations:
        kubernetes.add_toleration(
            task,
            key=toleration.key,
            operator="Exists" if toleration.value is None else "Equal",
            value=toleration.value,
            effect=toleration.effect,
        )


def _repeat(task: dsl.PipelineTask, pod: Pod) -> None:
    if pod.timeout:
        kubernetes.set_timeout(task, pod.timeout)
    if pod.retries:
        # All attempts must end within this time after the first starts: long enough for each to reach its timeout.
        waits = BACKOFF * (2**pod.retries - 1)
        longest = (pod.retries + 1) * (pod.timeout or 7 * 24 * 3600) + waits
        task.set_retry(pod.retries, f"{BACKOFF}s", 2.0, f"{longest}s")


def _scratch(task: dsl.PipelineTask, pod: Pod, storage_class: str) -> None:
    """Mounts a volume for temporary files on `/tmp`, so that the root file system need not be writable."""
    if storage_class:
        size = pod.scratch or "20Gi"
        kubernetes.add_ephemeral_volume(task, "scratch", "/tmp", ["ReadWriteOnce"], size, storage_class)
    else:
        kubernetes.empty_dir_mount(task, "scratch", "/tmp", size_limit=pod.scratch or None)


def _volumes(task: dsl.PipelineTask, volumes: Mapping[str, str]) -> None:
    for claim, path in volumes.items():
        kubernetes.mount_pvc(task, claim, path)


def _credentials(task: dsl.PipelineTask, settings: Settings, but: re.Pattern[str] | None = None) -> None:
    """Gives a task the secrets and variables, but those whose names `but` matches."""

    def wanted(variable: str) -> bool:
        return not (but and but.fullmatch(variable))

    for variable, (secret, key) in settings.secrets.items():
        if wanted(variable):
            kubernetes.use_secret_as_env(task, secret, {key: variable})
    for secret, path in settings.secret_files.items():
        kubernetes.use_secret_as_volume(task, secret, path)
    for name, value in filter(lambda item: wanted(item[0]), settings.variables.items()):
        task.set_env_variable(name, value)
