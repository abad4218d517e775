"""The benchmark as a Kubeflow pipeline: the graph, resources and display names, and nothing else."""

from kfp import dsl

from components.artifacts.names import REGIME_TITLES
from components.compare.component import compare
from components.evaluate.component import evaluate, evaluate_floor
from components.ingest.component import ingest
from components.preprocess.component import preprocess
from components.train.component import train
from pipelines.compact import bare
from pipelines.pods import place
from pipelines.settings import Settings

NAME = "pneumonia-benchmark"

ingest, preprocess, train, evaluate, evaluate_floor, compare = map(
    bare, (ingest, preprocess, train, evaluate, evaluate_floor, compare)
)


def build(settings: Settings):
    """The pipeline for `settings`, as kfp's compiler and local runner take it."""

    @dsl.pipeline(
        name=NAME,
        display_name="Pneumonia benchmark",
        description="Trains one chest X-ray classifier in four ways and compares quality, time and memory.",
    )
    def pneumonia_benchmark(
        source: str = "synthetic",
        path: str = "",
        sha256: str = "",
        pneumoniamnist_size: int = 128,
        synthetic_images: int = 1200,
        synthetic_size: int = 160,
        synthetic_difficulty: float = 0.5,
        data_seed: int = 1,
        image_size: int = 96,
        backbone: str = "MobileNetV2",
        weights: str = "imagenet",
        epochs: int = 20,
        batch_size: int = 32,
        learning_rate: float = 0.001,
        trainable_layers: int = 10,
        patience: int = 5,
        target_sensitivity: float = 0.0,
        gpu_hour_price: float = 0.0,
        cpu_hour_price: float = 0.0,
        max_bad_fraction: float = 0.01,
        deduplicate: bool = False,
        resplit: bool = False,
        report_images: bool = True,
        seed: int = 1,
        seeds: int = 3,
    ):
        """Trains one chest X-ray classifier in four ways and compares quality, time and memory.

        Args:
            source: where the images come from: "synthetic", "directory", "kaggle", "pneumoniamnist", or a URL
                (gs://bucket/prefix, s3://bucket/prefix, https://... of an archive).
            path: where the data are, for "directory"; the dataset's id for "kaggle"; an .npz for "pneumoniamnist".
            sha256: of the archive behind an https URL; "" does not check it.
            pneumoniamnist_size: side of PneumoniaMNIST's images in px: 28, 64, 128 or 224.
            synthetic_images: how many radiographs to simulate.
            synthetic_size: length of their shorter side in px, about.
            synthetic_difficulty: from 0 (easy) to 1.
            data_seed: of the simulation and of the split.
            image_size: height and width of the prepared images in px.
            backbone: MobileNetV2, EfficientNetB0, ResNet50 or DenseNet121.
            weights: "imagenet", "bundled", "none" (random) or the path of a Keras weights file.
            epochs: at most so many passes over the training images.
            batch_size: images per step.
            learning_rate: peak learning rate, times a factor of the recipe for each way of training.
            trainable_layers: how many of the backbone's last layers partial fine-tuning trains.
            patience: epochs without a better validation ROC AUC before training stops; 0 trains all epochs.
            target_sensitivity: what thresholds are to reach on validation; 0 leaves them to Youden's J.
            gpu_hour_price: of an hour of training with a GPU, in any currency; 0 for unknown.
            cpu_hour_price: of an hour of training without one.
            max_bad_fraction: the run fails where more of the files than this cannot be used (0 to 1).
            deduplicate: leave copies of images out, also re-encoded and resized ones.
            resplit: ignore the source's splits and make new ones, by patient.
            report_images: show images in the report: examples, and where the models looked.
            seed: the first seed of training.
            seeds: how many seeds every regime is trained with, one after another in its task; each is one more than the
                last.
        """
        raw = ingest(
            source=source,
            path=path,
            sha256=sha256,
            pneumoniamnist_size=pneumoniamnist_size,
            synthetic_images=synthetic_images,
            synthetic_size=synthetic_size,
            synthetic_difficulty=synthetic_difficulty,
            seed=data_seed,
            max_bad_fraction=max_bad_fraction,
        )
        raw.set_display_name("Ingest").set_caching_options(settings.cache_ingest)
        place(raw, "ingest", settings)
        prepared = preprocess(
            raw_dataset=raw.outputs["raw_dataset"],
            image_size=image_size,
            seed=data_seed,
            deduplicate=deduplicate,
            resplit=resplit,
            report_images=report_images,
            max_bad_fraction=max_bad_fraction,
        )
        prepared.set_display_name("Preprocess")
        place(prepared, "preprocess", settings)
        dataset = prepared.outputs["prepared_dataset"]

        elsewhere = _second_dataset(settings, image_size, data_seed, max_bad_fraction) if settings.external_test else {}

        evaluations = {}
        for regime in settings.regimes:
            models = train(
                prepared_dataset=dataset,
                regime=regime,
                backbone=backbone,
                weights=weights,
                epochs=epochs,
                batch_size=batch_size,
                learning_rate=learning_rate,
                trainable_layers=trainable_layers,
                patience=patience,
                seed=seed,
                seeds=seeds,
            )
            models.set_display_name(f"Train: {REGIME_TITLES[regime]}").set_caching_options(settings.cache_training)
            place(models, "train", settings)
            scored = evaluate(
                prepared_dataset=dataset,
                model=models.outputs["model"],
                target_sensitivity=target_sensitivity,
                report_images=report_images,
                **elsewhere,
            )
            # Never from the cache: the speed of inference is measured in every run.
            scored.set_display_name(f"Evaluate: {REGIME_TITLES[regime]}").set_caching_options(False)
            place(scored, "evaluate", settings)
            evaluations[regime] = scored.outputs["evaluation"]

        floor = evaluate_floor(prepared_dataset=dataset, target_sensitivity=target_sensitivity, **elsewhere)
        floor.set_display_name("Evaluate: floor").set_caching_options(False)
        place(floor, "evaluate", settings)

        comparison = compare(
            dataset_summary=prepared.outputs["dataset_summary"],
            floor=floor.outputs["evaluation"],
            run_id=settings.run_id or dsl.PIPELINE_JOB_NAME_PLACEHOLDER,
            run_started="" if settings.run_id else dsl.PIPELINE_JOB_CREATE_TIME_UTC_PLACEHOLDER,
            gpu_hour_price=gpu_hour_price,
            cpu_hour_price=cpu_hour_price,
            **evaluations,
        )
        comparison.set_display_name("Compare").set_caching_options(False)
        place(comparison, "compare", settings)

    return pneumonia_benchmark


def _second_dataset(settings: Settings, image_size, data_seed, max_bad_fraction) -> dict:
    """Tasks that bring in the data set from another hospital; what evaluate takes of them."""
    raw = ingest(source="directory", path=settings.external_test, seed=data_seed, max_bad_fraction=max_bad_fraction)
    raw.set_display_name("Ingest: elsewhere").set_caching_options(settings.cache_ingest)
    place(raw, "ingest", settings)
    prepared = preprocess(
        raw_dataset=raw.outputs["raw_dataset"],
        image_size=image_size,
        seed=data_seed,
        max_bad_fraction=max_bad_fraction,
        report_images=False,
    )
    prepared.set_display_name("Preprocess: elsewhere")
    place(prepared, "preprocess", settings)
    return {"external_dataset": prepared.outputs["prepared_dataset"]}
