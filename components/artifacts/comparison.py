"""The comparison: numbers, decision and report. Written by compare; `results.json` is what other programs read."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NotRequired, TypedDict, cast

from components.artifacts import files
from components.artifacts.clinical_use import ClinicalUse
from components.artifacts.dataset_summary import Counts, Planning
from components.artifacts.described_data import DataDescription
from components.artifacts.differences import Difference, NonInferiority, TimeRatio
from components.artifacts.evaluation import ExternalTestSet
from components.artifacts.failed_training import FailedRegime
from components.artifacts.label_budget_results import LabelBudgetResults
from components.artifacts.names import FLOOR
from components.artifacts.raw_dataset import Source
from components.artifacts.regime_result import Metric, RegimeResult
from components.artifacts.trained_model import Backbone, Hardware
from components.artifacts.tuning_result import TuningResult

KIND = "comparison"
KIND_OF_RUNS = "comparison of runs"
RESULTS = "results.json"

FIRST_METRICS = ("roc_auc", "accuracy")
"""One metric of ranking and one of decisions: shown first, and the only ones compared with the baseline and on the
external test set."""


class EnsembleResult(TypedDict):
    """The seeds of a regime as one classifier, which averages their logits.

    Attributes:
        seeds: how many.
        threshold: chosen on validation for the ensemble, by the rule of the single models.
        metrics: {one of `evaluation.METRICS`: metric}.
        train_seconds: of all seeds together.
        inference_ms_per_image: of all seeds together (milliseconds).
        model_mb: size of all saved models (1e6 bytes).
    """

    seeds: int
    threshold: float
    metrics: dict[str, Metric]
    train_seconds: float
    inference_ms_per_image: float
    model_mb: float


class BaselineResult(RegimeResult):
    """The baseline, and every regime minus it in `FIRST_METRICS`."""

    comparisons: list[Difference]


class ExternalRegime(TypedDict):
    """One regime on the external test set: {metric: value and interval}."""

    metrics: dict[str, Metric]


class ExternalResult(TypedDict):
    """The same models on the external test set, with the thresholds of the validation images.

    Attributes:
        dataset: what the external test set is.
        regimes: by name.
        comparisons: of every two regimes in `FIRST_METRICS`.
        floor, baseline: the baseline, twice; missing without one.
    """

    dataset: ExternalTestSet
    regimes: dict[str, ExternalRegime]
    comparisons: list[Difference]
    floor: NotRequired[ExternalRegime]
    baseline: NotRequired[ExternalRegime]


class RunInfo(TypedDict):
    """The run that is compared.

    Attributes:
        id: its name, may be empty.
        started, finished: of its first and last step (ISO 8601 in UTC).
        seed: the lowest.
        seeds: all of them.
        versions: of this project, Python and packages, at the first training.
        hardware: of the first training.
        from_cache: "dataset", and regimes with a training that was made before the run began or was continued.
    """

    id: str
    started: str
    finished: str
    seed: int
    seeds: list[int]
    versions: dict[str, str]
    hardware: Hardware | None
    from_cache: list[str]


class ComparedDataset(DataDescription):
    """The prepared dataset: source, fingerprint, height and width (px), counts of each split, and what describes it."""

    source: Source
    fingerprint: str
    image_size: int
    splits: dict[str, Counts]


class Findings(TypedDict):
    """The numbers of a comparison, before anything is decided.

    Attributes:
        run: what is compared.
        dataset: on which data.
        backbone: of the pre-trained regimes; its entries are None without one.
        regimes: by name.
        comparisons: every two regimes in every metric, `FIRST_METRICS` first.
        floor, baseline: the baseline, twice; missing without one. "floor" is the older name and will go.
        external, external_test: the external test set, twice; missing without one. "external" will go.
        noninferiority: which regimes are shown to be about as good as every other one.
        training_times: every two regimes, and every regime and the baseline.
        ensembles: {regime with several seeds: its seeds as one classifier}; missing without any.
        pareto: {cost: regimes that no other beats in both this cost and ROC AUC, cheapest first}.
        planning: what the test set can show, as it was known before training.
        clinical_use: at a given prevalence; missing without one.
        failed: {regime: why it is not compared}; missing if no training failed.
        tuning: the searches for learning rate and trainable layers; missing without any.
        label_budgets: the regimes with fewer labelled patients; missing without such trainings.
    """

    run: RunInfo
    dataset: ComparedDataset
    backbone: Backbone
    regimes: dict[str, RegimeResult]
    comparisons: list[Difference]
    noninferiority: NonInferiority
    training_times: list[TimeRatio]
    ensembles: NotRequired[dict[str, EnsembleResult]]
    floor: NotRequired[BaselineResult]
    baseline: NotRequired[BaselineResult]
    external: NotRequired[ExternalResult]
    external_test: NotRequired[ExternalResult]
    pareto: dict[str, list[str]]
    planning: Planning
    clinical_use: NotRequired[ClinicalUse]
    failed: NotRequired[dict[str, FailedRegime]]
    tuning: NotRequired[TuningResult]
    label_budgets: NotRequired[LabelBudgetResults]


class Decision(TypedDict):
    """The regimes that were decided on.

    Attributes:
        best: the regime with the highest ROC AUC on these test images.
        fastest_within_margin: the fastest to train of the regimes and the baseline that are shown to be about as good
            as every other one; None where none is.
        smallest_within_margin: of those the one with the fewest parameters.
        margin: how much ROC AUC may be lost to be about as good.
    """

    best: str
    fastest_within_margin: str | None
    smallest_within_margin: str | None
    margin: float


class Recommendation(Decision):
    """The decision, and in `why` its reasons in a few sentences."""

    why: str


class Results(Findings):
    """Everything that a comparison found."""

    recommendation: Recommendation


class ComparisonRecord(files.Header, Results):
    """The content of `results.json`; the arguments in its header have "replicates" of the bootstrap."""


class RegimeOfRun(TypedDict):
    """One regime of one run.

    Attributes:
        metrics: {one of `evaluation.METRICS`: value and interval}.
        seeds: of its trainings.
        train_seconds: mean over the seeds.
    """

    metrics: dict[str, Metric]
    seeds: list[int]
    train_seconds: float


class RunResult(TypedDict):
    """A run in a comparison of two.

    Attributes:
        name: of its folder.
        regimes: that both runs have.
        failed: {regime: why this run has no results of it}; missing if no training failed.
    """

    name: str
    regimes: dict[str, RegimeOfRun]
    failed: NotRequired[dict[str, FailedRegime]]


class Setting(TypedDict):
    """What the runs were made with and differ in: what it is, and its value in each run, in words."""

    what: str
    a: str
    b: str


class RunsFindings(TypedDict):
    """The numbers of a comparison of two runs.

    Attributes:
        runs: the first and the second run.
        paired: whether both were evaluated on the same test images.
        comparisons: the first run minus the second, for each regime (as "a" and as "b") in every metric.
    """

    runs: list[RunResult]
    paired: bool
    comparisons: list[Difference]


class RunsResults(RunsFindings):
    """The numbers, and what the runs were made with and differ in."""

    differing: list[Setting]


class RunsRecord(files.Header, RunsResults):
    """The content of `results.json` of a comparison of two runs."""


def with_baseline(findings: Findings) -> dict[str, RegimeResult]:
    """The regimes, and after them the baseline where there is one."""
    found = dict(findings["regimes"])
    if "floor" in findings:
        found[FLOOR] = findings["floor"]
    return found


def load(folder: str | Path) -> ComparisonRecord:
    """Reads the numbers of a comparison.

    Raises:
        UserError: `results.json` is missing, of another kind or of another schema version.
    """
    return cast(ComparisonRecord, files.read_json(Path(folder) / RESULTS, KIND))


def failures(record: Mapping[str, Any]) -> dict[str, str]:
    """Why regimes could not be trained, as `results.json` says it: {regime: reason}; empty if all were."""
    return {regime: failure["reason"] for regime, failure in record.get("failed", {}).items()}


def budget_failures(record: Mapping[str, Any]) -> dict[str, str]:
    """Why regimes could not be trained with label budgets, likewise."""
    return failures(record.get("label_budgets", {}))


def save(folder: Path, record: ComparisonRecord | RunsRecord) -> None:
    """Writes `results.json` into the folder of a comparison."""
    files.write_json(folder / RESULTS, record)
