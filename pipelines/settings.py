"""The settings of the pipeline that are fixed when it is compiled: images, resources, security, secrets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from components.artifacts.names import REGIMES
from components.images import DATA_IMAGE, TRAIN_IMAGE
from components.parameters import PIPELINE
from components.tracking.names import ON_REGRESSION

STEPS = ("ingest", "preprocess", "train", "evaluate", "compare")
"""The steps with settings of their own; check and record, a moment's work, have those of compare."""

# The defaults per step, in the syntax of the options.
CPU = {"ingest": "2", "preprocess": "2", "train": "2", "evaluate": "2", "compare": "1"}
MEMORY = {"ingest": "2G", "preprocess": "2G", "train": "8G", "evaluate": "4G", "compare": "2G"}
TIMEOUT = {"ingest": "21600", "preprocess": "7200", "train": "86400", "evaluate": "28800", "compare": "3600"}
RETRIES = {"ingest": "3", "preprocess": "0", "train": "2", "evaluate": "2", "compare": "0"}
"""Further attempts of the steps that use the network, or run on nodes that may be reclaimed.

Kubeflow Pipelines 2.17 retries a step whose pod was deleted or whose node was lost, but not a step that failed or ran
out of memory; before 2.17 it is the reverse. Ingest itself retries when networks and servers fail."""

EFFECTS = ("NoSchedule", "NoExecute", "PreferNoSchedule")
PULL_POLICIES = ("IfNotPresent", "Always", "Never")


@dataclass(frozen=True)
class Toleration:
    """A taint that the nodes of a pod may have.

    Attributes:
        key: of the taint.
        value: of the taint; None tolerates every value.
        effect: one of `EFFECTS`; None tolerates every effect.
    """

    key: str
    value: str | None
    effect: str | None


@dataclass(frozen=True)
class Pod:
    """The pod of one step.

    Attributes:
        cpu, cpu_limit: request and limit of processors, as Kubernetes quantities ("2", "500m").
        memory, memory_limit: request and limit of memory, likewise ("8G", "512Mi").
        scratch: size limit of the folder for temporary files, `/tmp`; "" for none.
        timeout: seconds after which the step is stopped; 0 for never.
        retries: further attempts; after which failures depends on the backend (see `RETRIES`).
        node_selector: {label: value} that a node must have.
        tolerations: taints that a node may have.
    """

    cpu: str
    cpu_limit: str
    memory: str
    memory_limit: str
    scratch: str
    timeout: int
    retries: int
    node_selector: Mapping[str, str]
    tolerations: Sequence[Toleration]


@dataclass(frozen=True)
class Settings:
    """The settings of the pipeline that are fixed when it is compiled.

    Attributes:
        regimes: to train, in this order.
        data_image: image of ingest, preprocess, compare, check and record.
        train_image: image of train and evaluate.
        gpus: GPUs per train task; 0 for clusters without. As a pipeline parameter the number would reach Kubeflow as a
            string, which silently requests none, so it is fixed here.
        accelerator: name of the GPU resource, for example "nvidia.com/gpu".
        pods: by step; empty for a run on this machine.
        shm: size of train's shared memory, `/dev/shm`.
        scratch_class: storage class of volumes for `/tmp`; "" uses the node's own disk.
        user: numeric user of the containers; None for the images' own.
        pull_policy: one of `PULL_POLICIES`.
        pull_secrets: names of Kubernetes secrets with credentials for the registry.
        volumes: {volume claim: path}, mounted in ingest and train; in record the one with the SQLite file.
        secrets: {environment variable: (secret, key)} of ingest; of train too if its checkpoints are in an object
            store, likewise the next two; those that begin with MLFLOW_, and the
            address for notifications, of record alone.
        secret_files: {secret: path}, secrets that are mounted as folders of files.
        variables: {name: value}, further environment variables.
        cache_ingest: whether Kubeflow may take ingest's result from an earlier run with the same parameters.
        cache_training: likewise for train.
        run_id: name of the run in the report; None for Kubeflow's.
        run_started: when a run on this machine was continued (ISO 8601), so that the report can say which times were
            measured before; "" if it was not.
        external_test: folder of an external test set; "" for none.
        checkpoints: folder, or URL of an object store, where an interrupted training continues; "" for none.
        checkpoint_claim: volume claim that is mounted there in train; "" for none.
        label_budgets: the default of the parameter of that name; "" leaves its tasks out.
        draws: likewise; without effect where there are no such tasks.
        tracking_uri: where the run is recorded, see `components.tracking.places`; "" for no record task.
        register: name in MLflow's registry for the best model; "" for none.
        on_regression: one of `components.tracking.names.ON_REGRESSION`: what an alarm does to the record task.
        runs_per_year: that share the false alarms of a year; None for the usual number, or what a schedule says.
        confirm_regressions: whether an alarm counts only when the next run has it too.
    """

    regimes: Sequence[str] = REGIMES
    data_image: str = DATA_IMAGE
    train_image: str = TRAIN_IMAGE
    gpus: int = 1
    accelerator: str = "nvidia.com/gpu"
    pods: Mapping[str, Pod] = field(default_factory=dict)
    shm: str = "1Gi"
    scratch_class: str = ""
    user: int | None = None
    pull_policy: str = "IfNotPresent"
    pull_secrets: Sequence[str] = ()
    volumes: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    secret_files: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    cache_ingest: bool = False
    cache_training: bool = False
    run_id: str | None = None
    run_started: str = ""
    external_test: str = ""
    checkpoints: str = ""
    checkpoint_claim: str = ""
    label_budgets: str = ""
    draws: int = PIPELINE["draws"].default
    tracking_uri: str = ""
    register: str = ""
    on_regression: str = ON_REGRESSION[0]
    runs_per_year: float | None = None
    confirm_regressions: bool = False

    @property
    def checkpoints_in_store(self) -> bool:
        """Whether checkpoints are in an object store, which needs credentials, and not in a folder."""
        return "://" in self.checkpoints
