"""Benefit of the bundled weights on real radiographs: python -m benchmarks.pretraining."""

import argparse
import contextlib
import gc
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from benchmarks import measure
from components import console
from components.artifacts import files, prepared_dataset
from components.artifacts.names import REGIME_TITLES
from components.artifacts.prepared_dataset import PreparedDataset
from components.console import UserError
from components.parameters import EvaluateParameters, TrainParameters

EXAMPLES = """examples:
  python -m benchmarks.pretraining --path ~/chest_xray --imagenet mobilenet_v2.weights.h5
      100 labelled training images, ten draws of them
  python -m benchmarks.pretraining --path ~/chest_xray --images 0 --draws 3 --epochs 20 --patience 5
      all training images, three seeds"""

BUNDLED, RANDOM, IMAGENET, SCRATCH = "bundled", "random", "ImageNet-like", "from scratch"
BACKBONE = "MobileNetV2-0.5"
"""The network that has bundled weights."""

FROZEN, TUNED, CUSTOM = "transfer_learning", "full_fine_tuning", "custom_cnn"
CHANGES = ("gamma", "contrast", "shifted", "zoomed")
"""Prefixes of the names of changes of exposure and geometry."""


def main(words: Sequence[str] | None = None) -> None:
    """Reads the command line, trains, prints."""
    arguments = _parser().parse_args(words)
    with console.plain_errors():
        _check(arguments)
        trainings = run(arguments)
        summary = summarize(trainings)
        result = {"benchmark": "pretraining", "trainings": trainings, "summary": summary}
        if arguments.json:
            measure.write_json(arguments.json, result | {"arguments": _settings(arguments)})
    print(f"\n{tables(summary)}\n\n{measure.describe(measure.machine())}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.pretraining",
        description="Trains on few labelled radiographs, with a backbone of bundled, random and ImageNet-like weights, "
        "frozen and fine-tuned, and a small CNN from scratch; scores the test split, unchanged and changed. After "
        "an interruption, the same command resumes where it stopped.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--path", type=Path, required=True, help="folder with the images, as for --source directory")
    add("--imagenet", type=Path, metavar="FILE", help="weights of MobileNetV2 without its top; default: none")
    add(
        "--images",
        type=int,
        default=100,
        help="labelled images, half of each class; 0 for all; default: %(default)s",
    )
    add("--draws", type=int, default=10, help="of images, weights and order; default: %(default)s")
    add("--epochs", type=int, default=30, help="of each training; default: %(default)s")
    add("--patience", type=int, default=0, help="0 trains all epochs and keeps the best; default: %(default)s")
    add("--regimes", nargs="+", choices=(FROZEN, TUNED, CUSTOM), default=[FROZEN, TUNED, CUSTOM], metavar="NAME")
    add(
        "--networks",
        nargs="+",
        choices=(RANDOM, BUNDLED, IMAGENET),
        default=[RANDOM, BUNDLED, IMAGENET],
        metavar="NAME",
        help=f"{RANDOM}, {BUNDLED}, {IMAGENET}; default: all",
    )
    add("--image-size", type=int, default=96, help="height and width in px; default: %(default)s")
    add("--folder", type=Path, default=Path("build/pretraining-benchmark"), help="for data and intermediate results")
    add("--json", type=Path, help="file for the results")
    return parser


def _check(arguments: argparse.Namespace) -> None:
    if not arguments.path.exists():
        raise UserError(f"there is no folder {arguments.path}: check --path")
    if arguments.imagenet and not arguments.imagenet.is_file():
        raise UserError(f"there is no weights file {arguments.imagenet}: check --imagenet")
    if arguments.images < 0 or arguments.images % 2:
        raise UserError(
            f"--images is {arguments.images}: give an even number, half of them for each class, or 0 for all"
        )
    if arguments.draws < 2:
        raise UserError(f"--draws is {arguments.draws}: give 2 or more, as an interval needs")
    if arguments.epochs < 1 or arguments.patience < 0:
        raise UserError("give 1 or more --epochs, and a --patience of 0 or more")


def _settings(arguments: argparse.Namespace) -> dict[str, Any]:
    given = {name: value for name, value in vars(arguments).items() if name not in ("folder", "json")}
    return {name: str(value) if isinstance(value, Path) else value for name, value in given.items()}


def run(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """Runs the trainings that have not been run yet.

    Returns:
        One entry per training: `network`, `regime`, `draw`, `best_epoch`, `roc_auc` ({change: of the test split}).

    Raises:
        UserError: the images cannot be read or are too few, or the folder has results of other settings.
    """
    folder = arguments.folder / ("all" if arguments.images == 0 else f"{arguments.images}-images")
    folder.mkdir(parents=True, exist_ok=True)
    kept = folder / "trainings.json"
    settings = {name: _settings(arguments)[name] for name in ("path", "images", "epochs", "patience", "image_size")}
    found = files.read_json(kept, "benchmark")["trainings"] if kept.exists() else []
    if kept.exists() and files.read_json(kept, "benchmark")["settings"] != settings:
        raise UserError(f"{kept} has results of other settings: give another --folder, or delete it")
    data = _prepared(arguments)
    wanted = _wanted(arguments)
    done = {(one["network"], one["regime"], one["draw"]) for one in found}
    for number, (network, backbone, weights, regime, draw) in enumerate(wanted, 1):
        if (network, regime, draw) in done:
            continue
        dataset = arguments.folder / "prepared" if arguments.images == 0 else folder / f"draw-{draw}"
        if not dataset.exists():
            few(data, dataset, arguments.images, draw)
        scored = _train(dataset, folder, regime, backbone, weights, arguments, draw)
        found.append({"network": network, "regime": regime, "draw": draw} | scored)
        content = files.header("benchmark", files.now(), {}) | {"settings": settings, "trainings": found}
        files.write_json(kept, content)
        auc = scored["roc_auc"]["unchanged"]
        said = f"{number} of {len(wanted)}: {REGIME_TITLES[regime]}, {network}, draw {draw}: ROC AUC {auc:.3f}"
        console.say("pretraining", said)
    keys = {(network, regime, draw) for network, _, _, regime, draw in wanted}
    return [one for one in found if (one["network"], one["regime"], one["draw"]) in keys]


def _wanted(arguments: argparse.Namespace) -> list[tuple[str, str, str, str, int]]:
    """All trainings, as tuples of network, backbone, weights, regime and draw."""
    known = {RANDOM: (BACKBONE, "none"), BUNDLED: (BACKBONE, "bundled")}
    if arguments.imagenet:
        known[IMAGENET] = ("MobileNetV2", str(arguments.imagenet.resolve()))
    draws = range(1, arguments.draws + 1)
    wanted = [(SCRATCH, BACKBONE, "none", CUSTOM, draw) for draw in draws if CUSTOM in arguments.regimes]
    for network in arguments.networks:
        for regime in (FROZEN, TUNED):
            if network in known and regime in arguments.regimes:
                wanted += [(network, *known[network], regime, draw) for draw in draws]
    return wanted


def _prepared(arguments: argparse.Namespace) -> PreparedDataset:
    """Runs ingest and preprocess, unless their results exist."""
    folder = arguments.folder
    if not (folder / "prepared").exists():
        measure.run(
            ["-m", "components.ingest", "--source", "directory", "--path", arguments.path, "--output", folder / "raw"]
        )
        words = ["--output", folder / "prepared", "--summary", folder / "summary", "--image-size", arguments.image_size]
        measure.run(["-m", "components.preprocess", folder / "raw", *words])
    return PreparedDataset.load(folder / "prepared")


def few(data: PreparedDataset, folder: Path, count: int, seed: int) -> None:
    """Writes a prepared dataset with few training images, as many validation images, and the whole test split.

    Args:
        data: dataset to sample from.
        folder: new folder.
        count: number of training images, half of each class.
        seed: of the sample.

    Raises:
        UserError: there are fewer images.
    """
    random = np.random.default_rng([seed, count])
    with files.new_folder(folder) as new:
        counts = {}
        for name, split in data.splits.items():
            rows = np.arange(len(split)) if name == "test" else _balanced(split.labels, count, name, random)
            np.save(new / f"{name}.npy", split.images[rows])
            prepared_dataset.save_index(new, name, split.index.iloc[rows])
            counts[name] = {"images": len(rows), "pneumonia": int(split.labels[rows].sum())}
            counts[name]["patients"] = int(split.index["patient"].iloc[rows].nunique())
        about = {"splits": counts, "fingerprint": prepared_dataset.fingerprint(new)}
        files.write_json(new / "dataset.json", data.info | about)


def _balanced(labels: np.ndarray, count: int, split: str, random: np.random.Generator) -> np.ndarray:
    """Ascending rows of `count` random images, half of each class."""
    of_class = [np.flatnonzero(labels == label) for label in (0, 1)]
    fewest = min(map(len, of_class))
    if count // 2 > fewest:
        raise UserError(f"{split} has {fewest} images of a class: give --images {2 * fewest} or less")
    return np.sort(np.concatenate([random.choice(rows, count // 2, replace=False) for rows in of_class]))


def _train(
    dataset: Path, folder: Path, regime: str, backbone: str, weights: str, arguments: argparse.Namespace, seed: int
) -> dict[str, Any]:
    """Trains and evaluates one model with the steps of the project."""
    import keras  # noqa: PLC0415 (help and usage errors do not need TensorFlow)

    from components.evaluate.evaluate import evaluate  # noqa: PLC0415
    from components.train.train import train  # noqa: PLC0415

    limits = {"epochs": arguments.epochs, "patience": arguments.patience, "seed": seed, "seeds": 1}
    with contextlib.redirect_stdout(io.StringIO()):
        parameters = TrainParameters(backbone=backbone, weights=weights, **limits)
        (training,) = train(dataset, folder / "model", regime, parameters)
        (results,) = evaluate(dataset, folder / "model", folder / "evaluation", EvaluateParameters(report_images=False))
    keras.utils.clear_session()
    gc.collect()
    return {"best_epoch": training["best_epoch"], "roc_auc": results["robustness"]}


def summarize(trainings: list[dict[str, Any]]) -> dict[str, Any]:
    """Means over draws, and differences between networks.

    Args:
        trainings: from `run`.

    Returns:
        `means`: one entry per regime and network with `draws`, the mean ROC AUC `unchanged`, under each of `CHANGES`
        and under all of them (`changed`); `differences`: one entry per pair, `of` minus `than`, paired by draw, with
        the `mean` and its 95% interval (Student's t) `low` and `high`, `unchanged` and `changed`.
    """
    scores: dict[tuple[str, str], dict[int, dict[str, float]]] = {}
    for one in trainings:
        scores.setdefault((one["regime"], one["network"]), {})[one["draw"]] = _groups(one["roc_auc"])
    means = [
        {"regime": regime, "network": network, "draws": len(draws)}
        | {name: float(np.mean([draw[name] for draw in draws.values()])) for name in ("unchanged", *CHANGES, "changed")}
        for (regime, network), draws in scores.items()
    ]
    pairs = [
        ((FROZEN, BUNDLED), (FROZEN, RANDOM)),
        ((TUNED, BUNDLED), (TUNED, RANDOM)),
        ((TUNED, BUNDLED), (CUSTOM, SCRATCH)),
        ((FROZEN, IMAGENET), (FROZEN, BUNDLED)),
        ((TUNED, IMAGENET), (TUNED, BUNDLED)),
    ]
    differences = [
        {"of": list(a), "than": list(b)}
        | {name: _paired(scores[a], scores[b], name) for name in ("unchanged", "changed")}
        for a, b in pairs
        if len(scores.get(a, {}).keys() & scores.get(b, {}).keys()) > 1
    ]
    return {"means": means, "differences": differences}


def _groups(roc_auc: dict[str, float]) -> dict[str, float]:
    """ROC AUC of unchanged images, its mean under each kind of change, and its mean under all changes."""
    kinds = {kind: [auc for name, auc in roc_auc.items() if name.startswith(kind)] for kind in CHANGES}
    found = {kind: float(np.mean(several)) for kind, several in kinds.items()}
    changed = float(np.mean([auc for name, auc in roc_auc.items() if name != "unchanged"]))
    return {"unchanged": roc_auc["unchanged"], **found, "changed": changed}


def _paired(a: dict[int, dict[str, float]], b: dict[int, dict[str, float]], name: str) -> dict[str, float]:
    gains = np.array([a[draw][name] - b[draw][name] for draw in sorted(a.keys() & b.keys())])
    half = float(stats.t.ppf(0.975, len(gains) - 1) * gains.std(ddof=1) / np.sqrt(len(gains)))
    return {"mean": float(gains.mean()), "low": float(gains.mean()) - half, "high": float(gains.mean()) + half}


def tables(summary: dict[str, Any]) -> str:
    """Means and differences as text."""
    rows = [
        [
            f"{REGIME_TITLES[one['regime']]}, {one['network']}",
            str(one["draws"]),
            *(f"{one[name]:.3f}" for name in ("unchanged", *CHANGES, "changed")),
        ]
        for one in summary["means"]
    ]
    text = measure.table(["ROC AUC", "draws", "unchanged", *CHANGES, "all changes"], rows)
    rows = [
        [
            " minus ".join(f"{REGIME_TITLES[regime]}, {network}" for regime, network in (one["of"], one["than"])),
            *(
                f"{gain['mean']:+.3f} ({gain['low']:+.3f} to {gain['high']:+.3f})"
                for gain in (one["unchanged"], one["changed"])
            ),
        ]
        for one in summary["differences"]
    ]
    return (
        f"{text}\n\n{measure.table(['difference (95% interval)', 'unchanged', 'all changes'], rows)}" if rows else text
    )


if __name__ == "__main__":
    main()
