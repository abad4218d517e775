"""The benchmark as a Kubeflow pipeline: the graph, resources and display names, and nothing else."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from kfp import dsl

from components.artifacts.names import REGIME_TITLES
from components.check.component import check
from components.compare.component import compare
from components.evaluate.component import evaluate
from components.ingest.component import ingest
from components.parameters import (
    PIPELINE,
    CompareParameters,
    EvaluateParameters,
    IngestParameters,
    LabelBudgetParameters,
    PreprocessParameters,
    TrainParameters,
    defaults,
    values_of,
)
from components.preprocess.component import preprocess
from components.record.component import record
from components.step import describe, inputs
from components.tracking import names
from components.train.component import train, train_budgets
from pipelines.compact import bare
from pipelines.pods import configure_recording, configure_task
from pipelines.settings import Settings

NAME = "pneumonia-benchmark"

(ingest, preprocess, train, train_budgets, evaluate, compare, check, record) = map(
    bare, (ingest, preprocess, train, train_budgets, evaluate, compare, check, record)
)


DESCRIPTION = "Trains one chest X-ray classifier in four ways and compares quality, time and memory."


def build(settings: Settings) -> dsl.graph_component.GraphComponent:
    """The pipeline for `settings`, as kfp's compiler and local runner take it; its inputs are `parameters.PIPELINE`."""
    own = {"label_budgets": settings.label_budgets, "draws": settings.draws}
    parameters = PIPELINE | {name: replace(PIPELINE[name], default=value) for name, value in own.items()}
    if settings.label_budgets:
        known = parameters["label_budgets"]
        meaning = known.meaning.replace("empty for none", f"empty for {settings.label_budgets}")
        parameters["label_budgets"] = replace(known, meaning=meaning)

    def pneumonia_benchmark(*values: Any) -> None:
        _tasks(dict(zip(PIPELINE, values, strict=True)), settings)

    describe(pneumonia_benchmark, inputs(parameters.items()), DESCRIPTION, parameters.items())
    return dsl.pipeline(name=NAME, display_name="Pneumonia benchmark", description=DESCRIPTION)(pneumonia_benchmark)


def _tasks(values: Mapping[str, Any], settings: Settings) -> None:
    """Adds all tasks to the pipeline that is being built.

    Args:
        values: the pipeline's inputs by name.
        settings: what is fixed when it is compiled.
    """
    raw = ingest(**values_of(IngestParameters, values))
    raw.set_display_name("Ingest").set_caching_options(settings.cache_ingest)
    configure_task(raw, "ingest", settings)
    prepared = preprocess(raw_dataset=raw.outputs["raw_dataset"], **values_of(PreprocessParameters, values))
    prepared.set_display_name("Preprocess")
    configure_task(prepared, "preprocess", settings)
    dataset = prepared.outputs["prepared_dataset"]
    external = _external_test_set(settings, values) if settings.external_test else {}

    models = {regime: _train(regime, dataset, values, settings) for regime in settings.regimes}
    # One task for all regimes and the baseline, since each task takes much of a run's status.
    scored = evaluate(prepared_dataset=dataset, **values_of(EvaluateParameters, values), **external, **models)
    # Never from the cache: the speed of inference is measured in every run.
    scored.set_display_name("Evaluate").set_caching_options(False)
    configure_task(scored, "evaluate", settings)
    budgets = _train_on_budgets(dataset, external, values, settings) if settings.label_budgets else {}

    comparison = compare(
        dataset_summary=prepared.outputs["dataset_summary"],
        evaluations=scored.outputs["evaluation"],
        run_id=settings.run_id or dsl.PIPELINE_JOB_NAME_PLACEHOLDER,
        run_started=settings.run_started if settings.run_id else dsl.PIPELINE_JOB_CREATE_TIME_UTC_PLACEHOLDER,
        **values_of(CompareParameters, values),
        **budgets,
    )
    comparison.set_display_name("Compare").set_caching_options(False)
    configure_task(comparison, "compare", settings)
    # Compare must succeed so that its report is kept; this fails the run where a regime could not be trained.
    checked = check(comparison=comparison.outputs["comparison"])
    checked.set_display_name("Check").set_caching_options(False)
    configure_task(checked, "compare", settings)
    if settings.tracking_uri:
        _record(comparison.outputs["comparison"], models, settings)


def _record(comparison: Any, models: Mapping[str, Any], settings: Settings) -> None:
    """The task that records the run. Nothing depends on it: a history out of reach costs no results."""
    recorded = record(
        comparison=comparison,
        tracking_uri=settings.tracking_uri,
        register=settings.register,
        identity=dsl.PIPELINE_JOB_ID_PLACEHOLDER,
        on_regression=settings.on_regression,
        runs_per_year=settings.runs_per_year or names.RUNS_PER_YEAR,
        confirm_regressions=settings.confirm_regressions,
        data_image=settings.data_image,
        train_image=settings.train_image,
        **(models if settings.register else {}),
    )
    recorded.set_display_name("Record").set_caching_options(False)
    configure_task(recorded, "compare", settings)
    configure_recording(recorded, settings)


def _train(regime: str, dataset: Any, values: Mapping[str, Any], settings: Settings) -> Any:
    """The task that trains one regime; gives its models."""
    given = values_of(TrainParameters, values) | {"checkpoints": settings.checkpoints}
    models = train(prepared_dataset=dataset, regime=regime, **given)
    models.set_display_name(f"Train: {REGIME_TITLES[regime]}").set_caching_options(settings.cache_training)
    configure_task(models, "train", settings)
    return models.outputs["model"]


def _train_on_budgets(
    dataset: Any, external: Mapping[str, Any], values: Mapping[str, Any], settings: Settings
) -> dict[str, Any]:
    """The task that trains all regimes on all label budgets; gives what compare takes of it.

    One for each regime would take too much of a run's status, and one GPU is enough for trainings on few patients.
    """
    given = values_of(LabelBudgetParameters, values) | {
        "checkpoints": settings.checkpoints,
        "usual": settings.label_budgets,
    }
    trainings = train_budgets(prepared_dataset=dataset, regimes=" ".join(settings.regimes), **given, **external)
    trainings.set_display_name("Label budgets").set_caching_options(settings.cache_training)
    configure_task(trainings, "train", settings)
    return {"label_budgets": trainings.outputs["label_budgets"]}


def _external_test_set(settings: Settings, values: Mapping[str, Any]) -> dict[str, Any]:
    """Tasks that bring in the external test set; gives what evaluate takes of them."""
    given = defaults(IngestParameters) | {"source": "directory", "path": settings.external_test}
    common = {"seed": values["data_seed"], "max_bad_fraction": values["max_bad_fraction"]}
    raw = ingest(**given | common)
    raw.set_display_name("Ingest: external test set").set_caching_options(settings.cache_ingest)
    configure_task(raw, "ingest", settings)
    given = defaults(PreprocessParameters) | {"image_size": values["image_size"], "report_images": False}
    prepared = preprocess(raw_dataset=raw.outputs["raw_dataset"], **given | common)
    prepared.set_display_name("Preprocess: external test set")
    configure_task(prepared, "preprocess", settings)
    return {"external_dataset": prepared.outputs["prepared_dataset"]}
