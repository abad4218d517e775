"""What is fixed when the pipeline is compiled: images, resources, security, secrets. Read from options or a file."""

import argparse
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from components.artifacts.names import REGIMES
from components.console import UserError
from components.images import DATA_IMAGE, TRAIN_IMAGE
from images import build

STEPS = ("ingest", "preprocess", "train", "evaluate", "compare")

CPU = {"ingest": "2", "preprocess": "2", "train": "2", "evaluate": "2", "compare": "1"}
MEMORY = {"ingest": "2G", "preprocess": "2G", "train": "8G", "evaluate": "4G", "compare": "2G"}
TIMEOUT = {"ingest": "21600", "preprocess": "7200", "train": "86400", "evaluate": "7200", "compare": "3600"}
RETRIES = {"ingest": "3", "preprocess": "0", "train": "2", "evaluate": "2", "compare": "0"}
"""Further attempts of the steps that use the network or run where nodes may be taken away.

Kubeflow Pipelines 2.17 begins a step anew whose pod was deleted or whose node was lost, and no step that ended with an
error or ran out of memory; before 2.17 it is the other way round. Ingest waits for networks and servers by itself."""

EFFECTS = ("NoSchedule", "NoExecute", "PreferNoSchedule")
PULL_POLICIES = ("IfNotPresent", "Always", "Never")

_QUANTITY = r"\d+(?:\.\d+)?(?:m|k|K|M|G|T|Ki|Mi|Gi|Ti)?"
_NAME = r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?"
_LABEL = r"(?:[A-Za-z0-9.-]+/)?[A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?"
_LABEL_VALUE = r"(?:[A-Za-z0-9](?:[\w.-]{0,61}[A-Za-z0-9])?)?"
_VARIABLE = r"[A-Za-z_]\w*"
_FOLDER = r"/[^\s:]+"
_WHOLE = r"\d{1,7}"
_TAG = r"\w[\w.-]{0,127}"
_IMAGE = r"[^\s@]+(?:@sha256:[0-9a-f]{64})?"


@dataclass(frozen=True)
class Toleration:
    """A taint of nodes that a pod puts up with.

    Attributes:
        key: the taint's key.
        value: its value; None tolerates every value.
        effect: one of `EFFECTS`; None tolerates them all.
    """

    key: str
    value: str | None
    effect: str | None


@dataclass(frozen=True)
class Pod:
    """What one step asks of the cluster.

    Attributes:
        cpu, cpu_limit: processors, as Kubernetes writes them ("2", "500m").
        memory, memory_limit: likewise ("8G", "512Mi").
        scratch: size limit of the folder for temporary files, `/tmp`; "" for none.
        timeout: seconds after which the step is stopped; 0 for never.
        retries: further attempts; after which failures, depends on the backend (see `RETRIES`).
        node_selector: {label: value} that a node must have.
        tolerations: taints that it may have.
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
    """What is fixed when the pipeline is compiled.

    Attributes:
        regimes: those to train, in this order.
        data_image: image of ingest, preprocess and compare.
        train_image: image of train and evaluate.
        gpus: GPUs per train task; 0 for clusters without. A count given as a pipeline parameter would reach Kubeflow as
            a string and silently ask for none, so it is fixed here.
        accelerator: name of the GPU resource, for example "nvidia.com/gpu".
        pods: {step: what it asks of the cluster}; empty for a run on this machine.
        shm: size of train's shared memory, `/dev/shm`.
        scratch_class: storage class of volumes for `/tmp`; "" takes the node's own disk.
        user: numeric user that containers run as; None takes the images' own.
        pull_policy: one of `PULL_POLICIES`.
        pull_secrets: names of Kubernetes secrets with credentials of the registry.
        volumes: {volume claim: path} that ingest and train see.
        secrets: {environment variable: (secret, key)} of ingest.
        secret_files: {secret: path}, secrets that ingest sees as a folder of files.
        variables: {name: value}, further environment variables of ingest.
        cache_ingest: whether Kubeflow may take ingest's result from an earlier run with the same parameters.
        cache_training: likewise for train.
        run_id: the run's name in the report; None takes Kubeflow's own.
        external_test: folder of a second data set that every model is scored on; "" for none.
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
    external_test: str = ""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options that `read` turns into `Settings`."""
    # What is not given is not in the namespace, so that a file's values can stand below the command line's.
    one = {"default": argparse.SUPPRESS}
    many = one | {"nargs": "+"}
    add = parser.add_argument_group("images").add_argument
    add("--registry", **one, help="where the images are, for example ghcr.io/me")
    add("--tag", **one, help="their tag; default: version and a hash of what is in each")
    add("--data-image", metavar="REF", **one, help="the data image's whole name, also by digest (name@sha256:...)")
    add("--train-image", metavar="REF", **one, help="the train image's")
    add("--pull-policy", metavar="POLICY", **one, help=f"{', '.join(PULL_POLICIES)}; default: IfNotPresent")
    add("--pull-secret", metavar="SECRET", **many, help="Kubernetes secrets with the registry's credentials")

    steps = f"STEP is one of {', '.join(STEPS)}; without STEP= a value holds for all of them"
    add = parser.add_argument_group("resources", steps).add_argument
    add("--gpus", metavar="N", **one, help="GPUs per train task, 0 for none (and the CPU image); default: 1")
    add("--accelerator", metavar="NAME", **one, help="the GPUs' resource name; default: nvidia.com/gpu")
    add("--cpu", metavar="[STEP=]N", **many, help=f"processors; default: {_listed(CPU)}")
    add("--cpu-limit", metavar="[STEP=]N", **many, help="at most so many; default: as --cpu")
    add("--memory", metavar="[STEP=]SIZE", **many, help=f"default: {_listed(MEMORY)}")
    add("--memory-limit", metavar="[STEP=]SIZE", **many, help="at most so much; default: as --memory")
    add("--scratch", metavar="[STEP=]SIZE", **many, help="space for temporary files in /tmp; default: no limit")
    add("--scratch-class", metavar="NAME", **one, help="storage class of volumes for /tmp; default: the node's disk")
    add("--shm", metavar="SIZE", **one, help="train's shared memory, /dev/shm; default: 1Gi")
    add("--timeout", metavar="[STEP=]SECONDS", **many, help=f"then a step is stopped; default: {_listed(TIMEOUT)}")
    again = "after a lost node or deleted pod, not after an error or too little memory (before KFP 2.17: the reverse)"
    add("--retries", metavar="[STEP=]N", **many, help=f"further attempts {again}; default: {_listed(RETRIES)}")

    limited = "a leading STEP: (for example train:) limits a value to one step"
    add = parser.add_argument_group("nodes", limited).add_argument
    add("--node-selector", metavar="[STEP:]LABEL=VALUE", **many, help="labels that nodes must have")
    add("--toleration", metavar="[STEP:]KEY[=VALUE][:EFFECT]", **many, help="taints that nodes may have")

    add = parser.add_argument_group("data, credentials, security").add_argument
    add("--volume", metavar="CLAIM=PATH", **many, help="volume claims with data or weights, for ingest and train")
    add("--external-test", metavar="PATH", **one, help="folder of a second data set, on a volume, to score models on")
    add("--secret", metavar="VARIABLE=SECRET/KEY", **many, help="environment variables of ingest, from secrets")
    add("--secret-file", metavar="SECRET=PATH", **many, help="secrets as folders of files, for ingest")
    add("--env", metavar="VARIABLE=VALUE", **many, help="of ingest; nothing secret, since it stands in the YAML")
    add("--user", metavar="UID", **one, help="run as this user; default: the images' own, 65532")

    add = parser.add_argument_group("cache").add_argument
    flag = one | {"action": argparse.BooleanOptionalAction}
    add(
        "--cache-ingest", **flag, help="reuse an earlier ingest and preprocess; for sources whose content never changes"
    )
    add("--cache-training", **flag, help="reuse earlier trainings; the costs are then theirs, and the report says so")
    parser.add_argument("--settings", type=Path, metavar="FILE", help="YAML with any of these options by name")


def _listed(values: Mapping[str, str]) -> str:
    return ", ".join(f"{step}={value}" for step, value in values.items() if value != "0")


def read(arguments: argparse.Namespace) -> Settings:
    """The settings that a command line and the file it names give; the command line's come first.

    Args:
        arguments: of a parser with `add_options`.

    Raises:
        UserError: the file cannot be read, or a value is not understood; the message names it.
    """
    return _read(_Options(vars(arguments), _file(arguments.settings) if arguments.settings else {}))


def _read(options: "_Options") -> Settings:
    gpus = int(options.one("gpus", "1", _WHOLE, "a whole number, 0 for clusters without GPUs"))
    registry, tag = options.one("registry", "", r"\S*", "a host and path"), options.one("tag", "", _TAG, "a tag")
    names = [build.reference(image, registry, tag) for image in build.images(gpu=gpus > 0)]
    data_image, train_image = (
        options.one(option, name, _IMAGE, "an image's name, tag or digest included")
        for option, name in zip(("data_image", "train_image"), names, strict=True)
    )
    user = options.one("user", "", r"[1-9]\d*", "a user's number above 0, since root is not allowed")
    return Settings(
        data_image=data_image,
        train_image=train_image,
        gpus=gpus,
        accelerator=options.one("accelerator", "nvidia.com/gpu", _LABEL, "a resource name such as nvidia.com/gpu"),
        pods=_pods(options),
        shm=options.one("shm", "1Gi", _QUANTITY, "a size such as 1Gi"),
        scratch_class=options.one("scratch_class", "", _NAME, "a storage class"),
        user=int(user) if user else None,
        pull_policy=options.one("pull_policy", PULL_POLICIES[0], "|".join(PULL_POLICIES), " or ".join(PULL_POLICIES)),
        pull_secrets=[name for (name,) in options.many("pull_secret", f"({_NAME})", "a secret's name")],
        volumes=options.pairs("volume", _NAME, _FOLDER, "CLAIM=/PATH"),
        secrets={
            variable: tuple(place.split("/"))
            for variable, place in options.pairs(
                "secret", _VARIABLE, rf"{_NAME}/[\w.-]+", "VARIABLE=SECRET/KEY"
            ).items()
        },
        secret_files=options.pairs("secret_file", _NAME, _FOLDER, "SECRET=/PATH"),
        variables=options.pairs("env", _VARIABLE, ".*", "VARIABLE=VALUE"),
        cache_ingest=options.flag("cache_ingest"),
        cache_training=options.flag("cache_training"),
        external_test=options.one("external_test", "", r"/\S*", "a folder's path, from / on"),
    )


def _pods(options: "_Options") -> dict[str, Pod]:
    number, size = "a number of processors such as 2 or 500m", "a size such as 8G or 512Mi"
    cpu = options.steps("cpu", CPU, _QUANTITY, number)
    memory = options.steps("memory", MEMORY, _QUANTITY, size)
    cpu_limit = options.steps("cpu_limit", cpu, _QUANTITY, number)
    memory_limit = options.steps("memory_limit", memory, _QUANTITY, size)
    scratch = options.steps("scratch", dict.fromkeys(STEPS, ""), _QUANTITY, size)
    timeout = options.steps("timeout", TIMEOUT, _WHOLE, "seconds, 0 for never")
    retries = options.steps("retries", RETRIES, r"\d{1,2}", "a whole number up to 99")
    prefix = rf"(?:({'|'.join(STEPS)}):)?"
    labels = options.many("node_selector", rf"{prefix}({_LABEL})=({_LABEL_VALUE})", "[STEP:]LABEL=VALUE")
    form = rf"{prefix}({_LABEL})(?:=({_LABEL_VALUE}))?(?::({'|'.join(EFFECTS)}))?"
    taints = options.many("toleration", form, f"[STEP:]KEY[=VALUE][:EFFECT], EFFECT one of {', '.join(EFFECTS)}")
    return {
        step: Pod(
            cpu=cpu[step],
            cpu_limit=cpu_limit[step],
            memory=memory[step],
            memory_limit=memory_limit[step],
            scratch=scratch[step],
            timeout=int(timeout[step]),
            retries=int(retries[step]),
            node_selector={label: value for only, label, value in labels if only in (None, step)},
            tolerations=[Toleration(*taint) for only, *taint in taints if only in (None, step)],
        )
        for step in STEPS
    }


class _Options:
    """Values by option, checked: a file's below a command line's.

    Args:
        given: the command line's, only those that are there.
        file: the file's.
    """

    def __init__(self, given: Mapping[str, Any], file: Mapping[str, Any]):
        self._layers = (file, given)

    def one(self, option: str, default: str, pattern: str, wanted: str) -> str:
        """The one value of an option; the default is not checked."""
        value = next((str(layer[option]) for layer in reversed(self._layers) if option in layer), default)
        if value != default:
            _match(option, value, pattern, wanted)
        return value

    def flag(self, option: str) -> bool:
        """Whether an option is set."""
        value = next((layer[option] for layer in reversed(self._layers) if option in layer), False)
        if not isinstance(value, bool):
            raise UserError(f"{_spelt(option)} is {value!r} in the settings file: write true or false")
        return value

    def many(self, option: str, pattern: str, wanted: str) -> list[tuple[str | None, ...]]:
        """The groups of the pattern in each value of an option."""
        values = next((layer[option] for layer in reversed(self._layers) if option in layer), [])
        return [_match(option, value, pattern, wanted).groups() for value in _as_words(values)]

    def pairs(self, option: str, key: str, value: str, wanted: str) -> dict[str, str]:
        """KEY=VALUE values of an option; the command line's replace the file's one by one."""
        words = [word for layer in self._layers for word in _as_words(layer.get(option, []))]
        return dict(_match(option, word, f"({key})=({value})", wanted).groups() for word in words)

    def steps(self, option: str, defaults: Mapping[str, str], value: str, wanted: str) -> dict[str, str]:
        """The value of each step out of [STEP=]VALUE values, likewise."""
        found = dict(defaults)
        pattern = f"(?:({'|'.join(STEPS)})=)?({value})"
        for layer in self._layers:
            for word in _as_words(layer.get(option, [])):
                step, given = _match(option, word, pattern, f"[STEP=]VALUE, VALUE {wanted}").groups()
                found |= {step: given} if step else dict.fromkeys(STEPS, given)
        return found


def _as_words(value: Any) -> list[str]:
    """A file's value as the words of a command line: a mapping's entries are KEY=VALUE."""
    if isinstance(value, dict):
        return [f"{key}={entry}" for key, entry in value.items()]
    return [str(entry) for entry in value] if isinstance(value, list) else [str(value)]


def _match(option: str, value: str, pattern: str, wanted: str) -> re.Match:
    found = re.fullmatch(pattern, value)
    if found is None:
        raise UserError(f"{_spelt(option)} {value!r} is not understood: give {wanted}")
    return found


def _spelt(option: str) -> str:
    return f"--{option.replace('_', '-')}"


def _file(path: Path) -> dict[str, Any]:
    """Options by name out of a YAML file; names may be written with dashes."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"the settings file {path} cannot be read ({error}): check --settings") from None
    except yaml.YAMLError as error:
        raise UserError(f"the settings file {path} is no valid YAML: {error}") from None
    if not isinstance(content, dict):
        raise UserError(f"the settings file {path} is no list of options: write lines such as 'gpus: 1'")
    options = {str(name).replace("-", "_"): value for name, value in content.items()}
    parser = argparse.ArgumentParser()
    add_options(parser)
    known = {action.dest for action in parser._actions} - {"help", "settings"}
    if unknown := sorted(options.keys() - known):
        raise UserError(f"the settings file {path} has no option {unknown[0]!r}: use {', '.join(sorted(known))}")
    return options
