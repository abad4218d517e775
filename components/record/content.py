"""What is recorded of a benchmark and of each of its models: tags, parameters, metrics, learning curve."""

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, cast

import numpy as np
from scipy.special import expit, logit
from scipy.stats import norm

from components.artifacts import compared_models, comparison, label_budget_results, trained_model
from components.artifacts.compared_models import ComparedModels, column
from components.artifacts.comparison import ComparisonRecord, with_baseline
from components.artifacts.evaluation import METRICS, EvaluationRecord
from components.artifacts.regime_result import Metric, RegimeResult
from components.artifacts.trained_model import Hardware, TrainingRecord
from components.parameters import recorded
from components.roc_auc import covariance_of_areas
from components.tracking import names
from components.tracking.history import HIGH, LOW

_CURVE = ("train_loss", "validation_loss", "validation_auc", "learning_rate")
_COUNTED = ("images", "patients", "pneumonia")


@dataclass(frozen=True)
class Origin:
    """What the artifacts do not say of the run that they are of.

    Attributes:
        identity: an id that no other run has; "" makes the key of the run from its name, data and start.
        data_image, train_image: names of the images that its steps ran in, or would run in; "" for unknown.
    """

    identity: str = ""
    data_image: str = ""
    train_image: str = ""


@dataclass(frozen=True)
class Point:
    """A value of a learning curve: its name, step, value, and time (milliseconds since 1970)."""

    name: str
    step: int
    value: float
    time: int


@dataclass(frozen=True)
class Recording:
    """A run as MLflow takes it.

    Attributes:
        name: of the run.
        tags, parameters: texts by name.
        metrics: finite numbers by name.
        curve: the learning curve; empty without one.
        started, finished: milliseconds since 1970.
    """

    name: str
    tags: Mapping[str, str]
    parameters: Mapping[str, str]
    metrics: Mapping[str, float]
    curve: tuple[Point, ...]
    started: int
    finished: int


@dataclass(frozen=True)
class Benchmark:
    """A finished benchmark.

    Attributes:
        folder: the comparison.
        results: content of `results.json`.
        compared: its models and their scores.
    """

    folder: Path
    results: ComparisonRecord
    compared: ComparedModels

    @classmethod
    def load(cls, folder: str | Path) -> "Benchmark":
        """Reads a comparison.

        Raises:
            UserError: it is not complete, or of an earlier version.
        """
        return cls(Path(folder), comparison.load(folder), compared_models.load(folder))

    @property
    def content(self) -> str:
        """SHA-256 of `results.json`, which holds the time of the comparison."""
        return hashlib.sha256((self.folder / comparison.RESULTS).read_bytes()).hexdigest()

    def key(self, origin: Origin) -> str:
        """What tells this run apart from all others, see `names.KEY`; an identity alone if there is one."""
        run = self.results["run"]
        return _digest(origin.identity or [run["id"], run["started"], self.results["dataset"]["fingerprint"]])


def benchmark(given: Benchmark, origin: Origin) -> Recording:
    """The recording of the benchmark, which is the parent of those of its models."""
    results = given.results
    run, dataset, decision = results["run"], results["dataset"], results["recommendation"]
    tags = _origin_tags(given, origin) | {
        names.KIND: names.BENCHMARK,
        names.RUN: run["id"],
        names.STARTED: run["started"],
        names.FINISHED: run["finished"],
        names.SOURCE: dataset["source"]["description"],
        names.RECIPE: _digest(sorted({_recipe(own["training"]) for own in given.compared.record["models"]})),
        names.HARDWARE: _hardware(run["hardware"]),
        "mlflow.note.content": decision["why"],
    }
    if failed := comparison.failures(results):
        tags[names.FAILED] = json.dumps(failed)
    counts = {f"{split}_{what}": own[what] for split, own in dataset["splits"].items() for what in _COUNTED}  # type: ignore[literal-required]
    parameters = _values(given) | counts | {"regimes": " ".join(results["regimes"]), "best": decision["best"]}
    metrics = {
        f"{regime}/{name}": value
        for regime, own in with_baseline(results).items()
        for name, value in _regime(own).items()
    }
    for regime, external in results.get("external_test", {}).get("regimes", {}).items():
        metrics |= {f"external/{regime}/{name}": value for name, value in _intervals(external["metrics"]).items()}
    times = _milliseconds(run["started"]), _milliseconds(run["finished"])
    return Recording(run["id"] or "benchmark", tags, _texts(parameters), _finite(metrics), (), *times)


def model(given: Benchmark, origin: Origin, record: EvaluationRecord) -> Recording:
    """The recording of one model."""
    training, regime, seed = record["training"], record["regime"], record["seed"]
    tags = _origin_tags(given, origin) | {
        names.KIND: names.MODEL,
        names.REGIME: regime,
        names.SEED: str(seed),
        names.RECIPE: _recipe(training),
        names.HARDWARE: _hardware(training["hardware"]),
    }
    backbone = training["backbone"] or {"name": None, "weights": None}
    own = {"regime": regime, "seed": seed, "backbone": backbone["name"], "weights": backbone["weights"]}
    own |= {"best_epoch": training["best_epoch"], "deterministic": training.get("deterministic")}
    hardware = cast(dict[str, Any], training["hardware"] or {})
    parameters = own | training["recipe"] | {f"hardware.{name}": value for name, value in hardware.items()}
    metrics = _model_metrics(given, record) | _costs(record)
    made_by = training["made_by"]
    return Recording(
        f"{regime} {seed}",
        tags,
        _texts(parameters),
        _finite(metrics),
        tuple(_curve(training)),
        _milliseconds(made_by["started"]),
        _milliseconds(record["made_by"]["finished"]),
    )


def _origin_tags(given: Benchmark, origin: Origin) -> dict[str, str]:
    versions = given.compared.record["models"][0]["training"]["made_by"]["versions"]
    images = [image for image in (origin.data_image, origin.train_image) if image]
    code = [image.rpartition("@" if "@" in image else ":")[2] for image in images]
    tags = {
        names.KEY: given.key(origin),
        names.DATASET: given.results["dataset"]["fingerprint"],
        names.CODE: " ".join(code) or versions["pneumonia-benchmark"],
        names.DATA_IMAGE: origin.data_image,
        names.TRAIN_IMAGE: origin.train_image,
    }
    return {name: value for name, value in tags.items() if value}


def _values(given: Benchmark) -> dict[str, Any]:
    """The values of the pipeline's parameters, as the steps recorded them."""
    info, models = given.compared.record["dataset"], given.compared.record["models"]
    first = models[0]
    ingest = (info.get("ingest") or {"arguments": {}})["arguments"]
    trained, seeds = trained_model.arguments(first["training"]), given.results["run"]["seeds"]
    evaluated, compared = first["made_by"]["arguments"], given.results["made_by"]["arguments"]
    values = recorded([ingest, info["made_by"]["arguments"], trained, evaluated, compared])
    values |= label_budget_results.asked_for(given.results.get("label_budgets"))
    return values | {"seed": seeds[0], "seeds": len(seeds), "image_size": info["image_size"]}


def _regime(own: RegimeResult) -> dict[str, Any]:
    return _intervals(own["metrics"]) | dict(own["cost"])


def _intervals(metrics: Mapping[str, Metric]) -> dict[str, float]:
    found: dict[str, float] = {}
    for name, metric in metrics.items():
        low, high = metric["ci95"]
        found |= {name: metric["value"], name + LOW: low, name + HIGH: high}
    return found


def _model_metrics(given: Benchmark, record: EvaluationRecord) -> dict[str, float]:
    """The metrics of one model; the intervals are those of the report where its regime has no other seed.

    Otherwise only ROC AUC has one, of this model alone: those in the report include the variation between seeds.
    """
    regime = with_baseline(given.results)[record["regime"]]
    values: dict[str, float] = {f"validation_{name}": value for name, value in record["metrics"]["validation"].items()}
    values |= {f"robustness/{name}": value for name, value in record["robustness"].items()}
    if "per_seed" not in regime:
        return values | _intervals(regime["metrics"])
    own = dict(regime["per_seed"][str(record["seed"])])
    return values | {name: own[name] for name in METRICS if name in own} | _roc_auc_interval(given, record)


def _roc_auc_interval(given: Benchmark, record: EvaluationRecord) -> dict[str, float]:
    """The ends of the 95% interval of one model's ROC AUC on test, over samples of patients, on the logit scale.

    Empty where the sample gives no error, as with an area of 0 or 1, which is not without error for that.
    """
    table = given.compared.predictions.query("split == 'test'")
    scores = table[column(record["regime"], record["seed"])].to_numpy(np.float32).astype(np.float64)
    areas, covariance = covariance_of_areas(
        table["label"].to_numpy(np.int64), table["patient"].to_numpy(str), scores[None]
    )
    area, error = float(areas[0]), math.sqrt(max(float(covariance[0, 0]), 0.0))
    if not (0 < area < 1 and error > 0):
        return {}
    half_width = float(norm.ppf(0.975)) * error / (area * (1 - area))
    low, high = expit(logit(area) + np.array([-half_width, half_width]))
    return {f"roc_auc{LOW}": float(low), f"roc_auc{HIGH}": float(high)}


def _costs(record: EvaluationRecord) -> dict[str, Any]:
    speed = record["inference"]
    return dict(record["training"]["cost"]) | {
        "inference_ms_per_image": speed["ms_per_image"],
        "inference_images_per_second": speed["images_per_second"],
    }


def _curve(training: TrainingRecord) -> Iterator[Point]:
    """The learning curve; its steps count epochs, or solutions of the head, over all phases."""
    begun = _milliseconds(training["made_by"]["started"])
    for step, epoch in enumerate(training["history"], start=1):
        for name in _CURVE:
            value = cast(dict[str, Any], epoch).get(name)
            if isinstance(value, int | float) and math.isfinite(value):
                yield Point(f"curve/{name}", step, float(value), begun + round(1000 * epoch["seconds"]))


def _recipe(training: TrainingRecord) -> str:
    """SHA-256 of what a training was asked for, but its seed and whatever was found in it."""
    arguments, search = trained_model.arguments(training), training.get("tuning")
    asked: dict[str, Any] = {name: training.get(name) for name in ("regime", "backbone", "recipe", "deterministic")}
    if search:
        asked["recipe"] = {name: search["given"].get(name, value) for name, value in training["recipe"].items()}
        asked["searches"] = [arguments.get(name) for name in ("tune_learning_rate", "tune_trainable_layers")]
    return _digest([asked, arguments.get("trainable_layers"), training["dataset"]["image_size"]])


def _hardware(hardware: Hardware | None) -> str:
    """A machine in a few words; "" if it is not known."""
    return f"{hardware['gpu'] or 'no GPU'}, {hardware['cores']} cores, {hardware['cpu']}" if hardware else ""


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _milliseconds(moment: str) -> int:
    return round(1000 * datetime.fromisoformat(moment).timestamp())


def _finite(metrics: Mapping[str, Any]) -> dict[str, float]:
    """The metrics that are numbers, under names that MLflow takes."""
    allowed = {
        name: value for name, value in metrics.items() if isinstance(value, int | float) and math.isfinite(value)
    }
    return {_name(name): float(value) for name, value in allowed.items()}


def _texts(parameters: Mapping[str, Any]) -> dict[str, str]:
    """The parameters that are known, as texts."""
    return {_name(name): str(value) for name, value in parameters.items() if value is not None and value != ""}


def _name(name: str) -> str:
    return "".join(sign if sign.isalnum() or sign in "_-. :/" else "_" for sign in name)
