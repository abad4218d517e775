"""Evaluations as the evaluate step writes them, out of random numbers: no image, no model."""

import functools
import shutil
from datetime import UTC, datetime
from types import SimpleNamespace

import matplotlib
import matplotlib.figure
import matplotlib.image
import numpy as np
import pandas as pd
import pytest

from components.artifacts import (
    dataset_summary,
    evaluation,
    failed_training,
    files,
    image_table,
    label_budgets,
    prepared_dataset,
)
from components.artifacts.names import FLOOR, REGIMES
from components.compare.stats import resampling

HOSTILE = "<script>alert('x')</script>\"><img src=//evil.example/x onerror=alert(1)>|](http://evil.example)"

PLOTS = {
    *("quality_against_time", "differences", "metrics", "roc_and_pr", "confusion", "calibration", "subgroups"),
    *("robustness", "learning_curves", "pareto", "cost", "score_distributions"),
}

FINGERPRINT = "ab12" * 16
STARTED = datetime(2026, 1, 31, 12, 0, 0, tzinfo=UTC)

# How well each regime separates the classes (in standard deviations), and what it costs: seconds, MB, parameters.
REGIME_FACTS = {
    "custom_cnn": SimpleNamespace(separation=2.6, seconds=9.4, memory=812.0, parameters=96_513, trained=96_065),
    "transfer_learning": SimpleNamespace(
        separation=3.3, seconds=14.8, memory=1240.0, parameters=2_259_265, trained=1281
    ),
    "partial_fine_tuning": SimpleNamespace(
        separation=3.6, seconds=41.0, memory=1492.0, parameters=2_259_265, trained=735_361
    ),
    "full_fine_tuning": SimpleNamespace(
        separation=3.8, seconds=245.0, memory=3105.0, parameters=2_259_265, trained=2_225_153
    ),
    FLOOR: SimpleNamespace(separation=2.4, seconds=0.3, memory=210.0, parameters=577, trained=577),
}


def make_index(images=300, patients=200):
    """Image names, patients and labels of a test split; a patient keeps to one class."""
    further = np.random.default_rng(1).integers(patients, size=images - patients)
    patient = np.sort(np.r_[np.arange(patients), further])
    label = (patient < 0.62 * patients).astype(int)
    names = [f"test/{'person' if y else 'IM-'}{p:04}_{i}.jpeg" for i, (p, y) in enumerate(zip(patient, label))]  # noqa: B905
    subtype = np.where(label == 0, "", np.where(patient % 3 == 0, "virus", "bacteria"))
    columns = {"image": names, "patient": patient.astype(str), "label": label, "subtype": subtype}
    return pd.DataFrame({"split": "test", **columns, "patient_seen": (patient % 5 == 0).astype(int)})


def make_validation():
    """Image names, patients and labels of a validation split."""
    index = make_index(images=160, patients=120)
    return index.assign(split="validation", image=index["image"].str.replace("test/", "val/"), patient_seen=0)


def make_scores(index, separation, seed):
    """Scores (N,) as float32: with a part common to all models, since hard images are hard for all of them."""
    common = np.random.default_rng(7).normal(size=len(index))
    own = np.random.default_rng(seed).normal(size=len(index))
    logit = separation * (index["label"] - 0.5) + 0.9 * common + 0.45 * own
    return (1 / (1 + np.exp(-1.6 * logit))).to_numpy(np.float32)


def make_explanations(index, seed):
    """Thumbnails with noise, and for each image a heat somewhere else."""
    random = np.random.default_rng(len(index))
    thumbnails = random.integers(0, 256, (len(index), 16, 16), np.uint8)
    heat = np.random.default_rng(seed).integers(0, 256, (len(index), 3, 3), np.uint8)
    return evaluation.Explanations(thumbnails, heat)


def write_evaluation(folder, regime, *, seed=0, index=None, scores=None, explained=False, external=None, **training):
    """Saves one plausible evaluation; `training` holds settings of `make_training`, `external` a second index."""
    facts = REGIME_FACTS[regime]
    index = make_index() if index is None else index
    if scores is None:
        scores = make_scores(index, facts.separation, list(REGIME_FACTS).index(regime) + 10 * seed)
    table = index.assign(score=np.asarray(scores))
    curves, second = make_curves(table), None
    validation = make_validation()
    on_validation = make_scores(validation, facts.separation, list(REGIME_FACTS).index(regime) + 10 * seed + 5)
    table = pd.concat([validation.assign(score=on_validation), table])
    if external is not None:
        second = {
            **{"source": {"name": "directory", "description": "Another <b>hospital</b>"}, "fingerprint": "ef" * 32},
            **{"images": len(external), "patients": external["patient"].nunique()},
            "pneumonia": int(external["label"].sum()),
        }
        elsewhere = make_scores(external, 0.6 * facts.separation, list(REGIME_FACTS).index(regime) + 10 * seed)
        table = pd.concat([table, external.assign(split="external", score=elsewhere)])
    training = make_training(regime, facts, seed, **training)
    results = files.header(evaluation.KIND, STARTED, {}) | {
        "regime": regime,
        "seed": seed,
        "backbone": training["backbone"],
        "dataset": training["dataset"],
        "threshold": {"value": 0.5, "chosen_on": "validation", "rule": "Youden's J"},
        "operating_points": [
            {"name": "threshold 0.5", "threshold": 0.5, "chosen_on": None},
            {"name": "90% specificity", "threshold": 0.6, "chosen_on": "validation"},
        ],
        "calibration": {"temperature": 1.4, "offset": 0.3, "fitted_on": "validation"},
        "metrics": {},
        "confusion": {},
        "curves": curves,
        "inference": {"ms_per_image": facts.memory / 400, "images_per_second": 4e5 / facts.memory, "batch_size": 32},
        "robustness": {"unchanged": 0.99, "gamma 0.7": 0.978 + 1e-5 * facts.seconds, "noise": 0.93},
        "external": second,
        "training": training,
    }
    with files.new_folder(folder) as new:
        evaluation.save(new, table, results, make_explanations(index, seed) if explained else None)
    return folder


def write_label_budgets(folder, regime, *, index=None, budgets=(50, 100, 200, 400), draws=3, **settings):
    """Saves trainings with label budgets, whose scores separate the classes better the more patients there are.

    Further settings: `scores` {(budget, draw): (N,)} replaces scores, `slowness` how much few patients cost,
    `external` a second index, `patients` of the whole dataset, `fingerprint`, and entries of the record.
    """
    index = make_index() if index is None else index
    external, patients = settings.pop("external", None), settings.pop("patients", 3000)
    slowness, scores = settings.pop("slowness", 4.0), settings.pop("scores", {})
    table = index if external is None else pd.concat([index, external.assign(split="external")])
    table = table.reset_index(drop=True)
    trainings, rows = [], []
    for budget in budgets:
        for draw in range(1, draws + 1):
            random = np.random.default_rng([budget, draw, list(REGIME_FACTS).index(regime)])
            weaker = 1 - slowness / np.sqrt(budget) * (1 + 0.1 * random.normal())
            made = make_scores(table, REGIME_FACTS[regime].separation * weaker, int(random.integers(1 << 30)))
            rows.append(scores.get((budget, draw), made))
            split = {"train": budget - budget // 5, "validation": budget // 5}
            trainings.append(
                {
                    **{"budget": budget, "draw": draw, "seed": draw - 1, "patients": split, "images": split},
                    **{"threshold": 0.5, "validation_auc": 0.9, "epochs": 9, "diverged": False, "seconds": 2.0},
                }
            )
    second = None if external is None else {"fingerprint": "ef" * 32, "images": len(external)}
    record = files.header(label_budgets.KIND, STARTED, {}) | {
        **{"regime": regime, "backbone": None, "hardware": None, "patients": patients, "images": 2 * patients},
        "dataset": {"fingerprint": settings.pop("fingerprint", FINGERPRINT), "image_size": 96},
        **{"external": second, "left_out": {}, "trainings": trainings, "seconds": 61.0, "shared_seconds": 3.0},
        **{"peak_memory_mb": 900.0},
        **settings,
    }
    with files.new_folder(folder) as new:
        label_budgets.save(new, record, table, rows)
    return folder


def write_failure(folder, regime, *, cause="out of memory", reason="use a smaller --batch-size", seconds=185.0):
    """Saves a training that failed in the place of its evaluation."""
    failure = failed_training.record(regime, cause, reason, files.now()) | {"seconds": seconds}
    failed_training.save(folder, failure)
    return folder


def make_curves(table):
    cuts = np.r_[np.inf, np.unique(table["score"])[::-1][::2]]
    positive, negative = (table.loc[table["label"] == label, "score"].to_numpy() for label in (1, 0))
    tp = np.array([(positive >= cut).sum() for cut in cuts])
    fp = np.array([(negative >= cut).sum() for cut in cuts])
    recall = tp / max(len(positive), 1)
    precision = np.where(tp + fp > 0, tp / np.maximum(tp + fp, 1), 1)
    return {
        "roc": {"fpr": fp / max(len(negative), 1), "tpr": recall, "thresholds": cuts},
        "pr": {"precision": precision, "recall": recall},
    }


def make_training(
    regime, facts, seed, *, weights="imagenet", fingerprint=FINGERPRINT, gpu=None, seconds=None, diverged=False
):
    """The content of training.json; `seconds` replaces the training time."""
    warm_up = 3 if "fine" in regime else 0
    seconds = seconds or facts.seconds
    history = [
        {
            "phase": "head warm-up" if step < warm_up else "training",
            "epoch": step + 1 if step < warm_up else step + 1 - warm_up,
            "seconds": seconds * (step + 1) / (8 + warm_up),
            "learning_rate": 1e-3 * 0.8**step,
            "train_loss": 0.1 + 0.6 * 0.6**step,
            "validation_loss": 0.16 + 0.55 * 0.62**step + 0.006 * step,
            "validation_auc": 0.985 - 0.25 * 0.55**step - 0.0008 * step,
        }
        for step in range(8 + warm_up)
    ]
    return files.header("trained model", STARTED, {"regime": regime, "seed": seed}) | {
        "regime": regime,
        "seed": seed,
        "backbone": None if regime in ("custom_cnn", FLOOR) else {"name": "MobileNetV2", "weights": weights},
        "recipe": {"batch_size": 32, "learning_rate": 1e-3, "augmentation": {"shift": 0.05, "flip": True}},
        "history": [] if regime == FLOOR else history,
        "best_epoch": 6,
        "diverged": diverged,
        "cost": {
            "train_seconds": seconds,
            "epochs": len(history),
            "images_per_second": 4000 / seconds,
            "peak_memory_mb": facts.memory,
            "peak_gpu_memory_mb": facts.memory * 0.7 if gpu else None,
            "parameters": facts.parameters,
            "trainable_parameters": facts.trained,
            "model_mb": facts.parameters * 4.2e-6,
        },
        "hardware": None if regime == FLOOR else {"cpu": "A processor", "cores": 2, "memory_gb": 16.0, "gpu": gpu},
        "dataset": {"fingerprint": fingerprint, "image_size": 96},
    }


def make_images():
    """The table of the test images and those of validation, with statistics of their pixels."""
    index = pd.concat([make_index(), make_validation()], ignore_index=True)
    random = np.random.default_rng(1)
    return index.assign(**{name: random.uniform(0.1, 0.9, len(index)) for name in image_table.STATISTICS})


def write_summary(
    folder, *, source="kaggle", description="the dataset paultimothymooney/chest-xray-pneumonia of Kaggle", **quality
):
    """Saves a dataset summary; `quality` replaces entries of its quality findings."""
    splits = {"train": (4185, 2400, 3110), "validation": (1047, 600, 773), "test": (300, 200, 186)}
    counts = ("images", "patients", "pneumonia")
    content = files.header(prepared_dataset.KIND, STARTED, {"image_size": 96, "seed": 0}) | {
        "source": {"name": source, "description": description},
        "ingest": {"arguments": {"source": "directory", "path": "/data/chest x-rays", "seed": 3}},
        "image_size": 96,
        "resize": "Shorter side cropped in the middle, then averaged down.",
        "split_rule": "The source's test split is kept; validation is carved out of train by patient.",
        "splits": {name: dict(zip(counts, numbers, strict=True)) for name, numbers in splits.items()},
        "fingerprint": FINGERPRINT,
        "quality": {
            "refused": [{"image": "train/broken.jpeg", "reason": "the file ends too early"}],
            "duplicates": {
                **{"groups": 30, "images": 60, "across_splits": 2, "across_classes": 0},
                "examples": [["a.jpeg", "b.jpeg"]],
            },
            "copies": {
                **{"groups": 3, "images": 6, "re_encoded": 2, "across_splits": 1, "across_classes": 0},
                **{"across_patients": 1, "dropped": 0, "examples": [["a.jpeg", "b.jpeg"], ["c.jpeg", "d.png"]]},
            },
            "ignored_folders": ["train/COVID"],
            "patients_in_several_splits": {"count": 12, "examples": ["person1", "person2"]},
            "patient_unknown": 4,
        }
        | quality,
    }
    folder.parent.mkdir(parents=True, exist_ok=True)
    copy, picture = folder.with_suffix(".json"), folder.with_suffix(".png")
    files.write_json(copy, content)
    matplotlib.image.imsave(picture, np.random.default_rng(0).random((64, 192)), cmap="gray")
    with files.new_folder(folder) as new:
        dataset_summary.save(new, copy, make_images(), picture.read_bytes())
    return folder


@pytest.fixture(scope="session", autouse=True)
def few_replicates():
    """A tenth of the bootstrap's replicates: these tests are about what is made of them, those in stats about them.

    The versions of packages, which are part of every evaluation and comparison, are looked up once.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "versions", functools.cache(files.versions))
        patch.setattr(resampling, "REPLICATES", 200)
        yield


def blank_pictures(patch):
    """Plots are made with their texts, but not drawn: the files are blank."""
    patch.setattr(
        matplotlib.figure.Figure, "savefig", lambda _, file, **__: matplotlib.image.imsave(file, np.zeros((1, 1)))
    )


@pytest.fixture
def no_plots(monkeypatch):
    """Reports without plots, which take most of the time of a comparison."""
    monkeypatch.setattr("components.compare.report.plots.draw", lambda *_: {})


@pytest.fixture
def write(tmp_path):
    """Writers of evaluations and of a summary into this test's folder."""

    def evaluation_folder(regime, name=None, **settings):
        return write_evaluation(tmp_path / (name or f"{regime}-{settings.get('seed', 0)}"), regime, **settings)

    def failure_folder(regime, name=None, **settings):
        return write_failure(tmp_path / (name or f"{regime}-failed"), regime, **settings)

    def budget_folder(regime, name=None, **settings):
        return write_label_budgets(tmp_path / (name or f"{regime}-budgets"), regime, **settings)

    return SimpleNamespace(
        evaluation=evaluation_folder,
        failure=failure_folder,
        budgets=budget_folder,
        evaluations=lambda regimes=REGIMES, **settings: [evaluation_folder(regime, **settings) for regime in regimes],
        summary=lambda **settings: write_summary(tmp_path / "summary", **settings),
        index=make_index,
    )


@pytest.fixture(scope="session")
def compared(tmp_path_factory):
    """One comparison of all regimes and the baseline: `folder`, `results`, the single files, matplotlib's settings."""
    from components.compare.compare import compare  # noqa: PLC0415

    base = tmp_path_factory.mktemp("compared")
    evaluations = [
        write_evaluation(base / regime, regime, explained=regime != FLOOR) for regime in (FLOOR, *reversed(REGIMES))
    ]
    html, markdown = base / "pages" / "report-copy.html", base / "pages" / "summary-copy.md"
    settings_before = dict(matplotlib.rcParams)
    results = compare(evaluations, write_summary(base / "summary"), base / "comparison", "run-7", html, markdown)
    return SimpleNamespace(
        folder=base / "comparison",
        results=results,
        html=html,
        markdown=markdown,
        settings_before=settings_before,
        settings_after=dict(matplotlib.rcParams),
    )


def render(write, evaluations, **changes):
    """The report without plots, and the summary; `changes` are those of `write_summary`."""
    from components.compare import inputs  # noqa: PLC0415
    from components.compare.report import page, summary  # noqa: PLC0415

    given = inputs.load(evaluations, write.summary(**changes))
    record = make_record(given, "run")
    return page.html(record, given, {}), summary.markdown_summary(record, given)


def built(write, evaluations):
    """The results of some evaluations."""
    from components.compare import inputs  # noqa: PLC0415
    from components.compare.compare import build  # noqa: PLC0415

    return build(inputs.load(evaluations, write.summary()), "run")


def make_record(given, run_id="", population=None):
    """The content of `results.json` of loaded evaluations."""
    from components.compare.compare import build  # noqa: PLC0415

    header = files.header("comparison", STARTED, {"replicates": 2000, "gpu_hour_price": 2.5, "cpu_hour_price": 0.0})
    return header | build(given, run_id, population=population)


@pytest.fixture(scope="session")
def in_use(tmp_path_factory):
    """The results at a prevalence of 10%: of two regimes with two seeds, and of the baseline."""
    from components.compare import inputs  # noqa: PLC0415
    from components.compare.clinical_use import Population  # noqa: PLC0415

    base = tmp_path_factory.mktemp("in_use")
    evaluations = [
        write_evaluation(base / f"{regime}-{seed}", regime, seed=seed)
        for regime, seed in (("custom_cnn", 0), ("custom_cnn", 1), ("full_fine_tuning", 0), ("full_fine_tuning", 1))
    ]
    given = inputs.load([*evaluations, write_evaluation(base / FLOOR, FLOOR)], write_summary(base / "summary"))
    return SimpleNamespace(inputs=given, record=make_record(given, "run", Population(0.1, 4)))


@pytest.fixture
def make_run(write, tmp_path):
    """Makes a run's folder, with evaluations and failed trainings in steps/."""

    def made(name, regimes=("custom_cnn", "full_fine_tuning"), ingest=None, image_size=96, failed=(), **settings):
        steps = tmp_path / name / "steps" / "pipeline-1"
        for regime in regimes:
            folder = write.evaluation(regime, f"{name}-{regime}", **settings)
            shutil.copytree(folder, steps / f"evaluate-{regime}" / "evaluation")
        for regime in failed:  # train writes the failure, evaluate passes it on
            for output in (f"train-{regime}/model", f"evaluate-{regime}/evaluation"):
                write_failure(steps / output, regime, reason=f"<b>no</b> *weights* of {regime}\n")
        summary = write.summary()
        info = files.read_json(summary / "dataset.json", "prepared dataset")
        info |= {"image_size": image_size} | ({"ingest": ingest} if ingest else {})
        info["source"] |= {"name": "synthetic"} if ingest else {}
        shutil.copytree(summary, steps / "preprocess" / "dataset_summary")
        files.write_json(steps / "preprocess" / "dataset_summary" / "dataset.json", info)
        (tmp_path / name / "comparison").mkdir()
        files.write_json(tmp_path / name / "comparison" / "results.json", {})
        return tmp_path / name

    return made
