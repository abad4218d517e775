"""The options and the settings file that give `settings.Settings`.

A value such as `[STEP:]KEY[=VALUE][:EFFECT]` is one regular expression here. pydantic would need the same expressions,
its messages name neither the option nor the form that a value must have, and importing it takes 0.1 s.
"""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from components.console import UserError
from components.parameters import BUDGETS, PIPELINE
from components.source_checks import BUCKET_URL
from components.tracking import names, places
from images import build
from pipelines.option_values import Options, spelled
from pipelines.settings import (
    CPU,
    EFFECTS,
    MEMORY,
    PULL_POLICIES,
    RETRIES,
    STEPS,
    TIMEOUT,
    Pod,
    Settings,
    Toleration,
)

CHECKPOINTS = "/checkpoints"
"""Where the claim for checkpoints is mounted in train."""

_QUANTITY = r"\d+(?:\.\d+)?(?:m|k|K|M|G|T|Ki|Mi|Gi|Ti)?"
_NAME = r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?"
_LABEL = r"(?:[A-Za-z0-9.-]+/)?[A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?"
_LABEL_VALUE = r"(?:[A-Za-z0-9](?:[\w.-]{0,61}[A-Za-z0-9])?)?"
_VARIABLE = r"[A-Za-z_]\w*"
_FOLDER = r"/[^\s:]+"
_WHOLE = r"\d{1,7}"
_TAG = r"\w[\w.-]{0,127}"
_IMAGE = r"[^\s@]+(?:@sha256:[0-9a-f]{64})?"


class _Group:
    """A group of options. What is not given is not in the namespace, so that values of a file can take its place."""

    def __init__(self, parser: argparse.ArgumentParser, title: str, description: str | None = None):
        self._group = parser.add_argument_group(title, description)

    def one(self, name: str, text: str, metavar: str | None = None) -> None:
        """Adds an option with one value."""
        self._group.add_argument(name, metavar=metavar, default=argparse.SUPPRESS, help=text)

    def many(self, name: str, text: str, metavar: str) -> None:
        """Adds an option with one or more values."""
        self._group.add_argument(name, metavar=metavar, nargs="+", default=argparse.SUPPRESS, help=text)

    def flag(self, name: str, text: str) -> None:
        """Adds an option that is on or off."""
        self._group.add_argument(name, action=argparse.BooleanOptionalAction, default=argparse.SUPPRESS, help=text)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options that `read` turns into `Settings`."""
    images = _Group(parser, "images")
    images.one("--registry", "registry of the images, for example ghcr.io/me")
    images.one("--tag", "their tag; default: version and a hash of what is in each")
    images.one("--data-image", "full name of the data image, also by digest (name@sha256:...)", "REF")
    images.one("--train-image", "full name of the train image", "REF")
    images.one("--pull-policy", f"{', '.join(PULL_POLICIES)}; default: IfNotPresent", "POLICY")
    images.many("--pull-secret", "Kubernetes secrets with the registry's credentials", "SECRET")
    _add_resources(parser)
    nodes = _Group(parser, "nodes", "a leading STEP: (for example train:) limits a value to one step")
    nodes.many("--node-selector", "labels that nodes must have", "[STEP:]LABEL=VALUE")
    nodes.many("--toleration", "taints that nodes may have", "[STEP:]KEY[=VALUE][:EFFECT]")
    data = _Group(parser, "data, credentials, security")
    data.many("--volume", "volume claims with data or weights, for ingest and train", "CLAIM=PATH")
    data.one("--checkpoint-claim", "volume claim for checkpoints: a training whose pod was deleted continues", "CLAIM")
    data.one("--checkpoints", "gs://bucket/prefix or s3://bucket/prefix, in place of a volume claim", "URL")
    data.one("--external-test", "folder of an external test set, on a volume", "PATH")
    _add_label_budgets(parser)
    data.many(
        "--secret",
        "environment variables of ingest (of train too with --checkpoints) from secrets; for record alone: "
        f"MLFLOW_... and {names.NOTIFY_VARIABLE}",
        "VARIABLE=SECRET/KEY",
    )
    data.many("--secret-file", "secrets as folders of files, likewise", "SECRET=PATH")
    data.many("--env", "environment variables, likewise; nothing secret, since they are in the YAML", "VARIABLE=VALUE")
    data.one("--tracking-uri", "record every run in MLflow: https://..., or sqlite:////PATH on a --volume", "URI")
    data.one("--register", "also register the best model in MLflow under this name", "NAME")
    _add_gate(parser)
    data.one("--user", "user of the containers; default: the images' own, 65532", "UID")
    cache = _Group(parser, "cache")
    cache.flag("--cache-ingest", "reuse an earlier ingest and preprocess; for sources whose content never changes")
    cache.flag("--cache-training", "reuse earlier trainings; the report says that their costs are not this run's")
    parser.add_argument("--settings", type=Path, metavar="FILE", help="YAML file with any of these options by name")


def _add_gate(parser: argparse.ArgumentParser) -> None:
    group = _Group(parser, "alarms", "a recorded run is compared with those before it; --tracking-uri is needed")
    group.one("--on-regression", "warn: an alarm is only said; fail: it fails the run too; default: warn", "warn|fail")
    group.one("--runs-per-year", "runs that share a year's false alarms; default: as --cron says, or 52", "N")
    group.flag("--confirm-regressions", "an alarm counts only when the next run has it too")


def _add_label_budgets(parser: argparse.ArgumentParser) -> None:
    """Adds the options that add tasks for trainings with fewer patients; their values are defaults of parameters."""
    budgets, draws = PIPELINE["label_budgets"], PIPELINE["draws"]
    group = parser.add_argument_group("label budgets", "defaults of the parameters label_budgets and draws")
    help_ = f"{budgets.meaning}; without numbers {BUDGETS.usual}"
    group.add_argument("--label-budgets", nargs="*", metavar="N", default=argparse.SUPPRESS, help=help_)
    group.add_argument("--draws", metavar="D", default=argparse.SUPPRESS, help=f"{draws.meaning}; default: 5")


def _add_resources(parser: argparse.ArgumentParser) -> None:
    steps = f"STEP is one of {', '.join(STEPS)}; without STEP= a value applies to all of them"
    again = "after a lost node or deleted pod, not after an error or too little memory (before KFP 2.17: the reverse)"
    group = _Group(parser, "resources", steps)
    group.one("--gpus", "GPUs per train task, 0 for none (and the CPU image); default: 1", "N")
    group.one("--accelerator", "the GPUs' resource name; default: nvidia.com/gpu", "NAME")
    group.many("--cpu", f"processors; default: {_listed(CPU)}", "[STEP=]N")
    group.many("--cpu-limit", "limit of processors; default: as --cpu", "[STEP=]N")
    group.many("--memory", f"default: {_listed(MEMORY)}", "[STEP=]SIZE")
    group.many("--memory-limit", "limit of memory; default: as --memory", "[STEP=]SIZE")
    group.many("--scratch", "size limit of /tmp; default: no limit", "[STEP=]SIZE")
    group.one("--scratch-class", "storage class of volumes for /tmp; default: the node's disk", "NAME")
    group.one("--shm", "size of train's shared memory, /dev/shm; default: 1Gi", "SIZE")
    group.many("--timeout", f"when a step is stopped; default: {_listed(TIMEOUT)}", "[STEP=]SECONDS")
    group.many("--retries", f"further attempts {again}; default: {_listed(RETRIES)}", "[STEP=]N")


def _listed(values: Mapping[str, str]) -> str:
    return ", ".join(f"{step}={value}" for step, value in values.items() if value != "0")


def read(arguments: argparse.Namespace) -> Settings:
    """The settings of a command line and the file that it gives; the command line overrides the file.

    Args:
        arguments: of a parser with `add_options`.

    Raises:
        UserError: the file cannot be read, or a value is not understood.
    """
    return _read(Options(vars(arguments), _file(arguments.settings) if arguments.settings else {}))


def _read(options: Options) -> Settings:
    gpus = int(options.one("gpus", "1", _WHOLE, "a whole number, 0 for clusters without GPUs"))
    registry, tag = options.one("registry", "", r"\S*", "a host and path"), options.one("tag", "", _TAG, "a tag")
    references = [build.reference(image, registry, tag) for image in build.images(gpu=gpus > 0)]
    data_image, train_image = (
        options.one(option, name, _IMAGE, "an image's name, tag or digest included")
        for option, name in zip(("data_image", "train_image"), references, strict=True)
    )
    volumes = options.pairs("volume", _NAME, _FOLDER, "CLAIM=/PATH")
    claim = options.one("checkpoint_claim", "", _NAME, "the name of a volume claim")
    store = options.one("checkpoints", "", BUCKET_URL.pattern, "gs://bucket/prefix or s3://bucket/prefix")
    _check_places(volumes, claim, store)
    user = options.one("user", "", r"[1-9]\d*", "the number of a user, above 0 since root is not allowed")
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
        pull_secrets=[found[0] for found in options.many("pull_secret", _NAME, "the name of a secret")],
        volumes=volumes,
        secrets=_secrets(options),
        secret_files=options.pairs("secret_file", _NAME, _FOLDER, "SECRET=/PATH"),
        variables=options.pairs("env", _VARIABLE, ".*", "VARIABLE=VALUE"),
        cache_ingest=options.flag("cache_ingest"),
        cache_training=options.flag("cache_training"),
        external_test=options.one("external_test", "", r"/\S*", "a folder's path, from / on"),
        checkpoints=CHECKPOINTS if claim else store,
        checkpoint_claim=claim,
        **_label_budgets(options) | _recording(options, volumes),
    )


def _secrets(options: Options) -> dict[str, tuple[str, str]]:
    """{variable: (secret, key)}."""
    found = options.pairs("secret", _VARIABLE, rf"{_NAME}/[\w.-]+", "VARIABLE=SECRET/KEY")
    return {variable: place.partition("/")[::2] for variable, place in found.items()}


def _label_budgets(options: Options) -> dict[str, Any]:
    given = options.words("label_budgets")
    draws = options.one("draws", "", r"\d{1,2}", "a whole number from 1 to 99")
    if given is None:
        if draws:
            raise UserError("--draws has no effect without --label-budgets: give both, or leave it out")
        return {}
    values = {"label_budgets": " ".join(given) or BUDGETS.usual} | ({"draws": int(draws)} if draws else {})
    for name, value in values.items():
        PIPELINE[name].check(value)
    return values


def _recording(options: Options, volumes: Mapping[str, str]) -> dict[str, Any]:
    """Where runs are recorded, and the name of the best model in the registry."""
    uri = options.one("tracking_uri", "", r"[\s\S]*", places.KINDS)
    register = options.one("register", "", r"[\s\S]*", "a name")
    names.check_registered(register)
    if register and not uri:
        raise UserError("--register has no effect without --tracking-uri: give both")
    return {"tracking_uri": places.in_pod(uri, volumes).uri if uri else "", "register": register} | _gate(options, uri)


def _gate(options: Options, uri: str) -> dict[str, Any]:
    """What alarms do."""
    usual = names.ON_REGRESSION[0]
    found = options.one("on_regression", usual, "|".join(names.ON_REGRESSION), " or ".join(names.ON_REGRESSION))
    number = options.one("runs_per_year", "", r"\d{1,4}(?:\.\d+)?", "a number such as 52")
    confirm = options.flag("confirm_regressions")
    for name, given in (("on_regression", found != usual), ("runs_per_year", number), ("confirm_regressions", confirm)):
        if given and not uri:
            raise UserError(f"{spelled(name)} has no effect without --tracking-uri: give both")
    if number:
        names.check_runs_per_year(float(number))
    runs = float(number) if number else None
    return {"on_regression": found, "runs_per_year": runs, "confirm_regressions": confirm}


def _check_places(volumes: Mapping[str, str], claim: str, store: str) -> None:
    """Checkpoints have one place. A pod cannot be created with two volumes of one name, or two at one path."""
    if claim and store:
        raise UserError("--checkpoint-claim and --checkpoints are two places for the same: give one of them")
    if claim and claim in volumes:
        raise UserError(f"--checkpoint-claim {claim} is also a --volume: give a claim of its own")
    if claim and CHECKPOINTS in (path.rstrip("/") for path in volumes.values()):
        raise UserError(f"--volume has {CHECKPOINTS}, where --checkpoint-claim is mounted: choose another path")


def _pods(options: Options) -> dict[str, Pod]:
    number, size = "a number of processors such as 2 or 500m", "a size such as 8G or 512Mi"
    cpu = options.steps("cpu", CPU, _QUANTITY, number)
    memory = options.steps("memory", MEMORY, _QUANTITY, size)
    cpu_limit = options.steps("cpu_limit", cpu, _QUANTITY, number)
    memory_limit = options.steps("memory_limit", memory, _QUANTITY, size)
    scratch = options.steps("scratch", dict.fromkeys(STEPS, ""), _QUANTITY, size)
    timeout = options.steps("timeout", TIMEOUT, _WHOLE, "seconds, 0 for never")
    retries = options.steps("retries", RETRIES, r"\d{1,2}", "a whole number up to 99")
    prefix = rf"(?:(?P<step>{'|'.join(STEPS)}):)?"
    label = rf"{prefix}(?P<label>{_LABEL})=(?P<value>{_LABEL_VALUE})"
    labels = options.many("node_selector", label, "[STEP:]LABEL=VALUE")
    taint = rf"{prefix}(?P<key>{_LABEL})(?:=(?P<value>{_LABEL_VALUE}))?(?::(?P<effect>{'|'.join(EFFECTS)}))?"
    taints = options.many("toleration", taint, f"[STEP:]KEY[=VALUE][:EFFECT], EFFECT one of {', '.join(EFFECTS)}")
    return {
        step: Pod(
            cpu=cpu[step],
            cpu_limit=cpu_limit[step],
            memory=memory[step],
            memory_limit=memory_limit[step],
            scratch=scratch[step],
            timeout=int(timeout[step]),
            retries=int(retries[step]),
            node_selector={found["label"]: found["value"] for found in labels if found["step"] in (None, step)},
            tolerations=[
                Toleration(found["key"], found["value"], found["effect"])
                for found in taints
                if found["step"] in (None, step)
            ],
        )
        for step in STEPS
    }


def _file(path: Path) -> dict[str, Any]:
    """Reads the options by name from a YAML file; the names may be written with dashes."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"the settings file {path} cannot be read ({error}): check --settings") from None
    except yaml.YAMLError as error:
        raise UserError(f"the settings file {path} is not valid YAML: {error}") from None
    if not isinstance(content, dict):
        raise UserError(f"the settings file {path} is not a mapping of options: write lines such as 'gpus: 1'")
    options = {str(name).replace("-", "_"): value for name, value in content.items()}
    parser = argparse.ArgumentParser()
    add_options(parser)
    known = {action.dest for action in parser._actions} - {"help", "settings"}
    if unknown := sorted(options.keys() - known):
        raise UserError(f"the settings file {path} has no option {unknown[0]!r}: use {', '.join(sorted(known))}")
    for name, value in options.items():
        # A key without a value is None in YAML, which would become the text "None".
        if None in (value.values() if isinstance(value, dict) else value if isinstance(value, list) else [value]):
            raise UserError(f"the settings file {path} has {name!r} without a value: write a value, or remove it")
    return options
