"""The report's pictures: what each shows, drawn from the comparison's numbers. Their look is set in `style`."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from components.artifacts.names import FLOOR, REGIME_TITLES
from components.compare import recommendation
from components.compare.inputs import Inputs
from components.compare.report import style, tables
from components.compare.report.style import LOOKS

METRIC_TITLES = {
    "accuracy": "Accuracy",
    "precision": "Precision",
    "recall": "Recall (sensitivity)",
    "specificity": "Specificity",
    "f1": "F1",
    "roc_auc": "ROC AUC",
}

FIRST_METRICS = ("roc_auc", "accuracy")
"""Differences in these are drawn."""

SUBGROUP_TITLES = {
    "all": "all test images",
    "bacteria": "bacterial pneumonia",
    "virus": "viral pneumonia",
    "patient seen in training": "patient also in training",
    "patient new": "patient new",
}

COST_TITLES = {
    "train_seconds": "Training time",
    "peak_memory_mb": "Peak memory (MB)",
    "model_mb": "Model size (MB)",
    "inference_ms_per_image": "Time per image (ms)",
    "training_price": "Price of training",
}


@dataclass(frozen=True)
class Picture:
    """One plot of the report.

    Attributes:
        file: PNG in the comparison folder.
        title: what it is about.
        caption: what to see in it.
        alt: its numbers in words, for who cannot see it.
        width: at which its text is as large as the report's (CSS px).
    """

    file: Path
    title: str
    caption: str
    alt: str
    width: int


def draw(folder: Path, results: dict[str, Any], inputs: Inputs) -> dict[str, Picture]:
    """Draws every plot that the data allow into `folder` as PNG.

    Args:
        folder: gets the files.
        results: content of `results.json`.
        inputs: the evaluations, for curves and histories.

    Returns:
        The pictures by name: the file names without `.png`.
    """
    drawn = {name: draw_one(folder, name, lambda plot=plot: plot(results, inputs)) for name, plot in PLOTS.items()}
    return {name: picture for name, picture in drawn.items() if picture}


def draw_one(folder: Path, name: str, plot: Callable[[], "Drawn"]) -> Picture | None:
    """Draws one plot into `folder`, if there is something to draw.

    Args:
        folder: gets the file.
        name: of the file, without `.png`.
        plot: draws it.
    """
    with style.applied():
        drawn = plot()
        if not drawn:
            return None
        figure, title, caption, alt = drawn
        file = folder / f"{name}.png"
        figure.savefig(file, dpi=style.DPI)
    return Picture(file, title, caption, alt, round(figure.get_figwidth() * style.CSS_PIXELS))


Drawn = tuple[Figure, str, str, str] | None


def quality_against_time(results: dict[str, Any], _: Inputs) -> Drawn:
    """Accuracy and ROC AUC against training time: the answer at a glance."""
    rows = tables.all_rows(results)
    figure = Figure(figsize=(5.4, 4.9))
    seconds = {name: regime["cost"]["train_seconds"] for name, regime in rows.items()}
    panels = figure.subplots(2, 1, sharex=True)
    for axes, metric in zip(panels, ("accuracy", "roc_auc"), strict=True):
        style.time_axis(axes, list(seconds.values()))
        for name, regime in rows.items():
            _interval(axes, seconds[name], regime["metrics"][metric], name, vertical=True)
        axes.set_ylabel(f"{METRIC_TITLES[metric]} on test")
        axes.grid(axis="y")
    _legend_above(figure, list(rows), columns=3)
    panels[-1].set_xlabel("Training time")
    return (
        figure,
        "What quality costs in training time",
        "Higher is better, further left is cheaper. Bars are 95% intervals of each by itself; whether two "
        "regimes differ is tested pair by pair, under “Evidence”.",
        _in_words(results, ("accuracy", "roc_auc"), with_time=True),
    )


def _interval(
    axes: Axes, position: float, entry: dict[str, Any], name: str, vertical: bool = False, size: int = 8
) -> None:
    """A regime's marker with its 95% interval as a bar."""
    value, (low, high) = entry["value"], entry["ci95"]
    look = LOOKS[name]
    bar = [[value - low], [high - value]]
    options = {"fmt": look.marker, "color": look.colour, "markersize": size, "capsize": size / 2, "linewidth": 1.6}
    options |= {"markeredgecolor": "white" if look.marker != "X" else look.colour}
    if vertical:
        axes.errorbar([position], [value], yerr=bar, **options)
    else:
        axes.errorbar([value], [position], xerr=bar, **options)


def _in_words(results: dict[str, Any], metrics: tuple[str, ...], with_time: bool = False) -> str:
    parts = []
    for name, regime in tables.all_rows(results).items():
        figures = [f"{METRIC_TITLES[metric]} {tables.metric_cell(regime['metrics'][metric])}" for metric in metrics]
        if with_time:
            figures.append(f"trained in {tables.duration(regime['cost']['train_seconds'])}")
        parts.append(f"{REGIME_TITLES[name]}: {', '.join(figures)}")
    return "; ".join(parts) + "."


def differences(results: dict[str, Any], _: Inputs) -> Drawn:
    """Every paired difference in ROC AUC and accuracy with its interval, beside the line of no difference."""
    pairs = {metric: [pair for pair in results["comparisons"] if pair["metric"] == metric] for metric in FIRST_METRICS}
    if not results["comparisons"]:
        return None
    names = [f"{REGIME_TITLES[pair['a']]} − {REGIME_TITLES[pair['b']]}" for pair in pairs[FIRST_METRICS[0]]]
    figure = _forest(names, {metric: _shown(found) for metric, found in pairs.items()})
    words = (
        f"{names[row]}: {tables.signed(pair['difference'])} in ROC AUC ({tables.signed_span(pair['ci95'])}), "
        f"{recommendation.verdict(pair)}"
        for row, pair in enumerate(pairs["roc_auc"])
    )
    return (
        figure,
        "Every two regimes on the same patients",
        "Right of the line the first of the two is higher, left of it the second. Bars are 95% intervals. A filled "
        "mark is a difference (before the correction for the number of pairs); a hollow one, that none was shown.",
        "; ".join(words) + ".",
    )


def _shown(pairs: list[dict[str, Any]], names: tuple[str, str] | None = None) -> list[tuple[dict[str, Any], bool]]:
    """Each pair, and whether a difference was shown."""
    return [(pair, recommendation.verdict(pair, names) != recommendation.NO_DIFFERENCE) for pair in pairs]


def _forest(names: list[str], panels: dict[str, list[tuple[dict[str, Any], bool]]]) -> Figure:
    """Differences with their intervals below one another, a panel a metric; filled marks where one was shown."""
    figure = Figure(figsize=(10, 1.3 + 0.42 * len(names)))
    for axes, (metric, found) in zip(figure.subplots(1, 2, sharey=True), panels.items(), strict=True):
        axes.axvline(0, color=style.MUTED, linewidth=1.2)
        for row, (pair, shown) in enumerate(found):
            low, high = pair["ci95"]
            bar = [[pair["difference"] - low], [high - pair["difference"]]]
            face = style.INK if shown else "white"
            options = {"fmt": "o", "color": style.INK, "markerfacecolor": face, "markersize": 7, "capsize": 4}
            axes.errorbar([pair["difference"]], [row], xerr=bar, linewidth=1.5, **options)
        axes.set_yticks(range(len(names)), names)
        axes.set_ylim(len(names) - 0.5, -0.5)
        axes.grid(axis="x")
        axes.locator_params(axis="x", nbins=6)
        axes.set_xlabel(f"Difference in {METRIC_TITLES[metric] if metric == 'roc_auc' else 'accuracy'}")
    return figure


def between_runs(found: dict[str, Any]) -> Drawn:
    """The difference between two runs in each regime.

    Args:
        found: content of `results.json` of a comparison of runs.
    """
    names = tuple(run["name"] for run in found["runs"])
    pairs = {metric: [pair for pair in found["comparisons"] if pair["metric"] == metric] for metric in FIRST_METRICS}
    titles = [REGIME_TITLES[pair["a"]] for pair in pairs["roc_auc"]]
    words = (
        f"{title}: {tables.signed(pair['difference'])} in ROC AUC ({tables.signed_span(pair['ci95'])}), "
        f"{recommendation.verdict(pair, names)}"
        for title, pair in zip(titles, pairs["roc_auc"], strict=True)
    )
    return (
        _forest(titles, {metric: _shown(own, names) for metric, own in pairs.items()}),
        "Each regime in both runs",
        f"Right of the line {names[0]} is higher, left of it {names[1]}. Bars are 95% intervals. A filled mark is a "
        "difference (before the correction for the number of regimes); a hollow one, that none was shown.",
        "; ".join(words) + ".",
    )


def metrics(results: dict[str, Any], _: Inputs) -> Drawn:
    """Each metric with its interval, regimes below one another."""
    regimes = tables.all_rows(results)
    figure = Figure(figsize=(10, 2.2 + 0.55 * len(regimes)))
    grid = figure.subplots(2, 3, sharey=True)
    for axes, metric in zip(grid.flat, METRIC_TITLES, strict=True):
        for row, (name, regime) in enumerate(regimes.items()):
            _interval(axes, row, regime["metrics"][metric], name)
        axes.set_title(METRIC_TITLES[metric])
        axes.set_yticks(range(len(regimes)), [REGIME_TITLES[name] for name in regimes])
        axes.set_ylim(len(regimes) - 0.5, -0.5)
        axes.margins(x=0.08)
        axes.locator_params(axis="x", nbins=5)
    figure.supxlabel("Value on the test images, with 95% interval", fontsize=10)
    return (
        figure,
        "Every metric with its uncertainty",
        "Each bar is a 95% interval: how far the figure would plausibly move with other patients of the same kind. "
        "Scales differ from panel to panel.",
        _in_words(results, tuple(METRIC_TITLES)),
    )


def roc_and_pr(results: dict[str, Any], inputs: Inputs) -> Drawn:
    """ROC and precision-recall curves of all regimes, with the working point of each."""
    figure = Figure(figsize=(10, 4.8))
    roc, pr = figure.subplots(1, 2)
    rows = tables.all_rows(results)
    for name, models in (inputs.regimes | ({FLOOR: [inputs.floor]} if inputs.floor else {})).items():
        regime, look = rows[name], LOOKS[name]
        for first, model in zip([True] + [False] * len(models), models, strict=False):
            curves = model.evaluation.results["curves"]
            line = {"color": look.colour, "linestyle": look.line, "alpha": 1 if first else 0.45}
            roc.plot(curves["roc"]["fpr"], curves["roc"]["tpr"], label=_legend(name, regime, "roc_auc", first), **line)
            pr.plot(
                curves["pr"]["recall"], curves["pr"]["precision"], label=_legend(name, regime, "pr_auc", first), **line
            )
        values = {metric: entry["value"] for metric, entry in regime["metrics"].items()}
        point = {"color": look.colour, "marker": look.marker, "markersize": 9, "markeredgecolor": "white", "zorder": 5}
        roc.plot([1 - values["specificity"]], [values["recall"]], **point)
        pr.plot([values["recall"]], [values["precision"]], **point)
    roc.set(xlabel="False alarms (1 − specificity)", ylabel="Recall (sensitivity)", title="ROC curve (area)")
    pr.set(xlabel="Recall (sensitivity)", ylabel="Precision", title="Precision-recall curve (average precision)")
    zoomed = all(regime["metrics"]["roc_auc"]["value"] > 0.95 for regime in results["regimes"].values())
    _frame_curves(roc, pr, zoomed)
    return (
        figure,
        "Every possible threshold",
        "A curve shows what a regime could trade: fewer missed pneumonias against more false alarms. The marker on it "
        "is the threshold chosen on the validation images."
        + (" The axes show only the corner in which the curves differ." if zoomed else "")
        + (" Fainter curves are further seeds, the marker is their mean." if len(results["run"]["seeds"]) > 1 else ""),
        _in_words(results, ("recall", "specificity", "precision", "roc_auc")),
    )


def _legend(name: str, regime: dict[str, Any], metric: str, first: bool) -> str:
    return f"{REGIME_TITLES[name]}  {tables.decimal(regime['metrics'][metric]['value'])}" if first else "_"


def _frame_curves(roc: Axes, pr: Axes, zoomed: bool) -> None:
    if zoomed:
        roc.set(xlim=(-0.005, 0.3), ylim=(0.7, 1.005))
        pr.set(xlim=(0.7, 1.005), ylim=(0.7, 1.005))
    else:
        roc.plot([0, 1], [0, 1], color=style.FAINT, linewidth=1, linestyle=":")
        for axes in (roc, pr):
            axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    for axes, corner in ((roc, "lower right"), (pr, "lower left")):
        axes.set_box_aspect(1)
        axes.legend(loc=corner, handlelength=3)


def confusion(results: dict[str, Any], _: Inputs) -> Drawn:
    """What each regime did with normal and with pneumonia images."""
    regimes = results["regimes"]
    figure = Figure(figsize=(1.2 + 2.5 * len(regimes), 3.1))
    words = []
    for column, (axes, (name, regime)) in enumerate(
        zip(figure.subplots(1, len(regimes), squeeze=False)[0], regimes.items(), strict=True)
    ):
        cells = regime["confusion"]
        counts = np.array([[cells["tn"], cells["fp"]], [cells["fn"], cells["tp"]]])
        style.heat(axes, counts)
        axes.set_title(REGIME_TITLES[name])
        axes.set_xticks([0, 1], ["normal", "pneumonia"])
        axes.set_yticks([0, 1], ["normal", "pneumonia"] if column == 0 else ["", ""])
        axes.set_xlabel("Model says")
        axes.set_ylabel("Truth" if column == 0 else "")
        words.append(
            f"{REGIME_TITLES[name]}: {cells['fn']:,} pneumonias missed, {cells['fp']:,} false alarms, "
            f"{cells['tp']:,} pneumonias and {cells['tn']:,} normals right"
        )
    return (
        figure,
        "Right and wrong, counted",
        "Lower left of each square: pneumonias missed. Upper right: false alarms. Percentages are of the row.",
        "; ".join(words) + ".",
    )


def calibration(results: dict[str, Any], _: Inputs) -> Drawn:
    """Share of pneumonia against score, before and after Platt scaling, a panel a model."""
    rows = tables.all_rows(results)
    figure = Figure(figsize=(0.6 + 2.35 * len(rows), 3.5))
    words = []
    grid = figure.subplots(1, len(rows), sharey=True, squeeze=False)[0]
    for axes, (name, row) in zip(grid, rows.items(), strict=True):
        axes.plot([0, 1], [0, 1], color=style.MUTED, linewidth=1, linestyle=":")
        fit, look = row["calibration"], LOOKS[name]
        seeds = len(row.get("per_seed", [1]))
        _reliability(axes, fit["before"]["reliability"], seeds, style.MUTED, "--", "o", "white")
        _reliability(axes, fit["after"]["reliability"], seeds, look.colour, "-", look.marker, look.colour)
        before, after = (tables.decimal(fit[stage]["ece"]["value"]) for stage in ("before", "after"))
        axes.set(xlim=(-0.04, 1.04), ylim=(-0.04, 1.04), title=f"{_wrapped(name)}\nerror {before} → {after}")
        axes.set_box_aspect(1)
        errors = f"{before} before and {after} after"
        words.append(f"{REGIME_TITLES[name]}: calibration error {errors} Platt scaling")
    grid[0].set_ylabel("Share with pneumonia")
    figure.supxlabel("Score (probability of pneumonia)", fontsize=10)
    return (
        figure,
        "Whether scores are probabilities",
        "On the dotted line, of the images with a score of 0.8 eight in ten show pneumonia; below it the model is too "
        "sure of pneumonia, above it not sure enough. Hollow and dashed: as scored; filled: after Platt scaling, "
        "fitted on the validation images. Larger marks: more images. Thin bars: 95% intervals of the share, "
        "as if every image were of another patient. Error: the mean distance from the line.",
        "; ".join(words) + ".",
    )


def _reliability(
    axes: Axes, points: list[dict[str, float]], seeds: int, colour: str, line: str, marker: str, face: str
) -> None:
    """One line of a reliability diagram with intervals; the area of a mark grows with its images."""
    x, y, images = (np.array([point[key] for point in points]) for key in ("score", "pneumonia", "images"))
    low, high = wilson(y, images / seeds)
    axes.vlines(x, low, high, color=colour, linewidth=0.8, alpha=0.6)
    axes.plot(x, y, color=colour, linestyle=line, linewidth=1.2)
    size = 10 + 90 * np.sqrt(images / images.sum())
    axes.scatter(x, y, size, facecolor=face, edgecolor=colour, marker=marker, zorder=3)


def wilson(share: np.ndarray, number: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The ends of the 95% intervals of shares (Wilson 1927, doi:10.1080/01621459.1927.10502953).

    Args:
        share: (B,), from 0 to 1.
        number: (B,), of how many independent images.
    """
    z = 1.959964
    centre = (share + z**2 / (2 * number)) / (1 + z**2 / number)
    reach = z * np.sqrt(share * (1 - share) / number + z**2 / (4 * number**2)) / (1 + z**2 / number)
    return centre - reach, centre + reach


def _wrapped(name: str) -> str:
    """A regime's title for a narrow panel."""
    return REGIME_TITLES[name].replace(" (", "\n(") if name == FLOOR else REGIME_TITLES[name]


def subgroups(results: dict[str, Any], inputs: Inputs) -> Drawn:
    """ROC AUC and recall on parts of the test images, beside all of them."""
    if not inputs.subgroups:
        return None
    regimes = tables.all_rows(results)
    groups = ["all", *inputs.subgroups]
    figure = Figure(figsize=(10, 1.6 + 0.75 * len(groups)))
    words = []
    for axes, metric in zip(figure.subplots(1, 2, sharey=True), ("roc_auc", "recall"), strict=True):
        for place, (name, regime) in enumerate(regimes.items()):
            for row, group in enumerate(groups):
                known = regime["metrics"] if group == "all" else regime["subgroups"][group]["metrics"]
                if metric in known:
                    _interval(axes, row + 0.15 * (place - (len(regimes) - 1) / 2), known[metric], name, size=6)
        axes.set_yticks(range(len(groups)), [SUBGROUP_TITLES[group] for group in groups])
        axes.set_ylim(len(groups) - 0.5, -0.5)
        axes.set_xlabel(f"{METRIC_TITLES[metric]}, with 95% interval")
        axes.grid(axis="x")
    for name, regime in regimes.items():
        parts = (
            f"{SUBGROUP_TITLES[group]} {tables.decimal(regime['subgroups'][group]['metrics']['roc_auc']['value'])}"
            for group in inputs.subgroups
            if "roc_auc" in regime["subgroups"][group]["metrics"]
        )
        words.append(f"{REGIME_TITLES[name]}: ROC AUC {', '.join(parts)}")
    _legend_above(figure, list(regimes))
    return (
        figure,
        "Parts of the test images",
        "The smaller the part, the wider the interval. A kind of pneumonia is set against all normal images.",
        "; ".join(words) + ".",
    )


def _legend_above(figure: Figure, names: list[str], columns: int = 5) -> None:
    """One legend for all panels, above them."""
    style.legend_above(figure, names, [REGIME_TITLES[name] for name in names], columns)


def learning_curves(results: dict[str, Any], inputs: Inputs) -> Drawn:
    """Validation AUC and losses while training went on; seeds after the first of a regime are drawn thinly."""
    figure = Figure(figsize=(1 + 2.8 * len(inputs.regimes), 4.8))
    grid = figure.subplots(2, len(inputs.regimes), sharey="row", sharex="col", squeeze=False)
    words = []
    for column, (name, models) in enumerate(inputs.regimes.items()):
        training = models[0].evaluation.results["training"]
        for model in models[1:]:
            _further_history(grid[:, column], model.evaluation.results["training"]["history"], name)
        best = _one_history(grid[:, column], training, name)
        grid[0, column].set_title(REGIME_TITLES[name])
        auc = tables.decimal(best["validation_auc"])
        words.append(f"{REGIME_TITLES[name]}: best validation AUC {auc} after {tables.duration(best['seconds'])}")
    grid[0, 0].set_ylabel("Validation AUC")
    grid[1, 0].set_ylabel("Loss")
    grid[1, -1].legend(loc="upper right", handlelength=2.5)
    figure.supxlabel("Seconds of training", fontsize=10)
    return (
        figure,
        "How training went",
        "The marker is the epoch whose weights were kept; grey ground is the warm-up of the head. Each regime has a "
        "time scale of its own. Where validation loss rises while training loss falls, the model learns its training "
        "images by heart." + (" Thin lines are further seeds." if len(results["run"]["seeds"]) > 1 else ""),
        "; ".join(words) + ".",
    )


def _one_history(column: np.ndarray, training: dict[str, Any], name: str) -> dict[str, Any]:
    """Draws one training into the two panels of `column`.

    Returns:
        The history's entry of the best epoch.
    """
    history, look = training["history"], LOOKS[name]
    best = _best_entry(training)
    seconds = _series(history, "seconds")
    auc, loss = column
    auc.plot(seconds, _series(history, "validation_auc"), color=look.colour, marker=".", linestyle="-")
    auc.plot([best["seconds"]], [best["validation_auc"]], color=look.colour, marker=look.marker, markersize=10)
    loss.plot(seconds, _series(history, "validation_loss"), color=look.colour, marker=".", label="validation")
    loss.plot(seconds, _series(history, "train_loss"), color=style.MUTED, linestyle="--", label="training")
    warm_up = [entry["seconds"] for entry in history if entry["phase"] == "head warm-up"]
    for axes in column:
        axes.set_xlim(left=0)
        axes.locator_params(axis="x", nbins=5)
        if warm_up:
            axes.axvspan(0, max(warm_up), color=style.FAINT, alpha=0.35, linewidth=0)
    if warm_up:
        auc.text(0, 0.97, " warm-up", transform=auc.get_xaxis_transform(), fontsize=8, color=style.MUTED, va="top")
    return best


def _further_history(column: np.ndarray, history: list[dict[str, Any]], name: str) -> None:
    """Draws the validation curves of a further seed."""
    for axes, key in zip(column, ("validation_auc", "validation_loss"), strict=True):
        axes.plot(
            _series(history, "seconds"), _series(history, key), color=LOOKS[name].colour, linewidth=0.8, alpha=0.7
        )


def _best_entry(training: dict[str, Any]) -> dict[str, Any]:
    """The history's entry of the epoch whose weights were kept; the epoch is counted in the training phase."""
    history = training["history"]
    main = [entry for entry in history if entry["phase"] == "training"] or history
    return next((entry for entry in main if entry["epoch"] == training["best_epoch"]), main[-1])


def _series(history: list[dict[str, Any]], key: str) -> np.ndarray:
    return np.array([entry[key] for entry in history], dtype=float)


def cost(results: dict[str, Any], _: Inputs) -> Drawn:
    """Training time and peak memory as bars."""
    regimes = results["regimes"]
    panels: list[tuple[str, str, Callable[[float | None], str]]] = [
        ("train_seconds", "Training time (s)", tables.duration),
        ("peak_memory_mb", "Peak memory of the process (MB)", tables.megabytes),
        ("peak_gpu_memory_mb", "Peak GPU memory (MB)", tables.megabytes),
    ]
    panels = [panel for panel in panels if any(regime["cost"][panel[0]] is not None for regime in regimes.values())]
    figure = Figure(figsize=(10, 1.2 + 0.5 * len(regimes)))
    for axes, (key, title, formatted) in zip(figure.subplots(1, len(panels), sharey=True), panels, strict=True):
        for row, (name, regime) in enumerate(regimes.items()):
            value, look = regime["cost"][key], LOOKS[name]
            axes.barh(row, value or 0, color=look.colour, hatch=look.hatch, edgecolor="white", height=0.62)
            axes.annotate(formatted(value), (value or 0, row), (4, 0), textcoords="offset points", va="center")
        axes.set_yticks(range(len(regimes)), [REGIME_TITLES[name] for name in regimes])
        axes.set_ylim(len(regimes) - 0.5, -0.5)
        axes.set_xlabel(title)
        axes.margins(x=0.28)
        axes.locator_params(axis="x", nbins=4)
    words = (
        f"{REGIME_TITLES[name]}: "
        + ", ".join(f"{title} {formatted(regime['cost'][key])}" for key, title, formatted in panels)
        for name, regime in regimes.items()
    )
    return (
        figure,
        "What each regime costs",
        "Time from building the model to restoring its best weights; memory is the most that the training process "
        "held at once, libraries included.",
        "; ".join(words) + ".",
    )


def pareto(results: dict[str, Any], _: Inputs) -> Drawn:
    """ROC AUC against every cost, with a line through the regimes that no other beats."""
    regimes = results["regimes"]
    if len(regimes) < 2:
        return None
    fronts = {cost: front for cost, front in results["pareto"].items() if cost in COST_TITLES}
    columns = 2 if len(fronts) in (2, 4) else 3
    figure = Figure(figsize=(10, 0.6 + 2.7 * -(-len(fronts) // columns)))
    grid = figure.subplots(-(-len(fronts) // columns), columns, sharey=True, squeeze=False)
    for axes in grid.flat[len(fronts) :]:
        axes.set_axis_off()
    for axes, (cost, front) in zip(grid.flat, fronts.items(), strict=False):
        at = {name: regime["cost"][cost] for name, regime in regimes.items()}
        if cost == "train_seconds":
            style.time_axis(axes, list(at.values()))
        else:
            axes.set_xlim(0, 1.12 * max(at.values()))
            axes.locator_params(axis="x", nbins=5)
        quality = [regimes[name]["metrics"]["roc_auc"]["value"] for name in front]
        axes.step([at[name] for name in front], quality, where="post", color=style.MUTED, linewidth=1, linestyle=":")
        for name, regime in regimes.items():
            _interval(axes, at[name], regime["metrics"]["roc_auc"], name, vertical=True)
        axes.set_xlabel(COST_TITLES[cost])
        axes.grid(axis="y")
    for axes in grid[:, 0]:
        axes.set_ylabel("ROC AUC on test")
    _legend_above(figure, list(regimes))
    words = (
        f"{COST_TITLES[cost]}: not beaten are {', '.join(REGIME_TITLES[name] for name in front)}"
        for cost, front in fronts.items()
    )
    return (
        figure,
        "Quality against every cost",
        "The dotted line joins the regimes that no other beats (the Pareto front): to be better than these costs more. "
        "Bars are 95% intervals; regimes whose bars overlap may well change places.",
        "; ".join(words) + ".",
    )


def robustness(results: dict[str, Any], _: Inputs) -> Drawn:
    """ROC AUC when the test images are changed, as another machine might."""
    regimes = {name: row["robustness"] for name, row in tables.all_rows(results).items() if row["robustness"]}
    if not regimes:
        return None
    changes = list(dict.fromkeys(change for values in regimes.values() for change in values))
    figure = Figure(figsize=(10, 1.4 + 0.5 * len(changes)))
    axes = figure.subplots()
    for place, (name, values) in enumerate(regimes.items()):
        shift = 0.16 * (place - (len(regimes) - 1) / 2)
        rows = [row + shift for row, change in enumerate(changes) if values.get(change) is not None]
        known = [values[change] for change in changes if values.get(change) is not None]
        look = LOOKS[name]
        axes.plot(known, rows, color=look.colour, marker=look.marker, linestyle="", markersize=7)
        if values.get("unchanged") is not None:
            axes.axvline(
                values["unchanged"], color=look.colour, linestyle=look.line, linewidth=0.9, alpha=0.6, zorder=0
            )
    for row in range(1, len(changes), 2):
        axes.axhspan(row - 0.5, row + 0.5, color=style.FAINT, alpha=0.35, linewidth=0)
    axes.set_yticks(range(len(changes)), changes)
    axes.set_ylim(len(changes) - 0.5, -0.5)
    axes.set_xlabel("ROC AUC on the changed test images")
    _legend_above(figure, list(regimes))
    words = (
        f"{REGIME_TITLES[name]}: " + ", ".join(f"{change} {tables.decimal(value)}" for change, value in values.items())
        for name, values in regimes.items()
    )
    return (
        figure,
        "What changed images do",
        "The same test images brightened, darkened, shifted and zoomed, as another machine might deliver them. "
        "Thin lines repeat “unchanged”: the further a mark falls to the left of its line, the more the regime leans "
        "on how images look.",
        "; ".join(words) + ".",
    )


PLOTS: dict[str, Callable[[dict[str, Any], Inputs], Drawn]] = {
    "quality_against_time": quality_against_time,
    "differences": differences,
    "metrics": metrics,
    "roc_and_pr": roc_and_pr,
    "confusion": confusion,
    "calibration": calibration,
    "subgroups": subgroups,
    "robustness": robustness,
    "learning_curves": learning_curves,
    "pareto": pareto,
    "cost": cost,
}
"""Every plot, under the name of its file, in the order of the report."""
