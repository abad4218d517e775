"""Compares two whole runs, regime by regime: another backbone, another resolution, another machine."""

from pathlib import Path
from typing import Any

from components.artifacts import files
from components.artifacts.evaluation import METRICS
from components.artifacts.names import REGIME_TITLES
from components.compare import recommendation, runs
from components.compare.inputs import Model
from components.compare.report import page, plots, tables
from components.compare.report.report_tables import FIRST_METRICS, METRIC_NAMES, Table
from components.compare.report.tables import Cell
from components.compare.runs import Run
from components.compare.stats import comparisons, evidence, resampling, uncertainty
from components.compare.stats.evidence import BOUNDS, Scored
from components.compare.stats.uncertainty import Estimate, Figure
from components.console import say

KIND = "comparison of runs"

UNPAIRED = "t, unpaired (Welch)"


def compare_runs(path_a: Path, path_b: Path, output: Path) -> dict[str, Any]:
    """Compares two runs and writes `report.html`, `summary.md`, `results.json`, `table.txt` and a plot.

    Where both were judged on the same test images, predictions are paired and the statistics are those of a comparison
    of regimes. Otherwise nothing is paired: the variances add (Welch 1947, doi:10.1093/biomet/34.1-2.28).

    Args:
        path_a: folder of a run, or the comparison in it.
        path_b: likewise; differences are those of the first less this one.
        output: folder to write; an older comparison there is replaced.

    Returns:
        The content of `results.json`.

    Raises:
        UserError: a run cannot be read, or they share no regime.
    """
    started = files.now()
    a, b = runs.load_two(path_a, path_b)
    regimes, paired = runs.shared_regimes(a, b), runs.same_test_images(a, b)
    how = "the same test images, paired" if paired else "different test images, so nothing is paired"
    say("compare", f"runs {a.name} and {b.name}: {how}")
    found = build(a, b, regimes, paired)
    with files.new_folder(output) as folder:
        picture = plots.draw_one(folder, "differences", lambda: plots.between_runs(found))
        found = files.header(KIND, started, {"runs": [a.name, b.name]}) | found
        files.write_json(folder / "results.json", found)
        text = page.rendered(
            "runs.html.j2",
            found=found,
            sentences=sentences(found),
            main=main_table(found),
            differences=differences_table(found),
            differing=[[row["what"], row["a"], row["b"]] for row in found["differing"]],
            picture=picture,
            image=page.embedded(picture.file),
        )
        files.write_text(folder / "report.html", text)
        files.write_text(folder / "summary.md", markdown(found))
        files.write_text(folder / "table.txt", terminal_text(found))
    return found


def build(a: Run, b: Run, regimes: list[str], paired: bool) -> dict[str, Any]:
    """The content of `results.json`, but for its header.

    Args:
        a: the first run.
        b: the second run.
        regimes: that both have.
        paired: whether their test images are the same.
    """
    estimate = _paired if paired else _unpaired
    values, found = estimate(a, b, regimes)
    return {
        "runs": [{"name": run.name, "regimes": own} for run, own in zip((a, b), values, strict=True)],
        "paired": paired,
        "differing": [dict(zip(("what", "a", "b"), row, strict=True)) for row in runs.differing(a, b)],
        "comparisons": found,
    }


Described = tuple[list[dict[str, Any]], list[dict[str, Any]]]


def _paired(a: Run, b: Run, regimes: list[str]) -> Described:
    """Both runs' models as models of the same test images."""
    groups = {(side, name): run.inputs.regimes[name] for side, run in enumerate((a, b)) for name in regimes}
    models = [_scored(model) for own in groups.values() for model in own]
    labels, patients = a.inputs.labels, a.inputs.patients
    figures = evidence.gather(labels, patients, models)
    places = _places(groups)
    pairs = [((0, name), (1, name)) for name in regimes]
    found = comparisons.compare_all(pairs, figures, places, models, labels, patients)
    return (
        [{name: _described(figures, places[side, name], groups[side, name]) for name in regimes} for side in (0, 1)],
        [pair | {"a": pair["a"][1], "b": pair["b"][1]} for pair in found],
    )


def _unpaired(a: Run, b: Run, regimes: list[str]) -> Described:
    """Each run on its own test images."""
    values, sides = [], []
    for run in (a, b):
        groups = {name: run.inputs.regimes[name] for name in regimes}
        models = [_scored(model) for own in groups.values() for model in own]
        figures = evidence.gather(run.inputs.labels, run.inputs.patients, models)
        places = _places(groups)
        values.append({name: _described(figures, places[name], groups[name]) for name in regimes})
        sides.append({(metric, name): figures[metric].mean(places[name]) for metric in METRICS for name in regimes})
    found = []
    for metric in comparisons.COMPARED_METRICS:
        low, high = BOUNDS.get(metric, (0.0, 1.0))
        gaps = {name: difference(sides[0][metric, name], sides[1][metric, name]) for name in regimes}
        p_values = [uncertainty.p_value(gap, high - low) for gap in gaps.values()]
        for (name, gap), p_value, adjusted in zip(gaps.items(), p_values, resampling.holm(p_values), strict=True):
            found.append(
                {
                    **{"a": name, "b": name, "metric": metric, "difference": gap.value},
                    "ci95": uncertainty.difference_interval(gap, high - low),
                    **{"p_value": p_value, "test": UNPAIRED, "p_value_holm": adjusted},
                }
            )
    return values, found


def difference(a: Estimate, b: Estimate) -> Estimate:
    """The difference of two independent estimates, with the degrees of freedom of Welch and Satterthwaite."""
    variance = a.variance + b.variance
    doubt = a.variance**2 / a.degrees_of_freedom + b.variance**2 / b.degrees_of_freedom
    freedom = variance**2 / doubt if doubt else min(a.degrees_of_freedom, b.degrees_of_freedom)
    return Estimate(a.value - b.value, variance, freedom)


def _scored(model: Model) -> Scored:
    return Scored(model.scores, model.threshold)


def _places(groups: dict[Any, list[Model]]) -> dict[Any, list[int]]:
    """Where the models of each group stand among all."""
    found, start = {}, 0
    for name, own in groups.items():
        found[name] = list(range(start, start + len(own)))
        start += len(own)
    return found


def _described(figures: dict[str, Figure], places: list[int], models: list[Model]) -> dict[str, Any]:
    """A regime of one run: metrics with intervals, and what it cost."""
    costs = [model.evaluation.results["training"]["cost"] for model in models]
    metrics = {}
    for metric in METRICS:
        estimate = figures[metric].mean(places)
        ends = uncertainty.interval(estimate, *BOUNDS.get(metric, (0.0, 1.0)))
        metrics[metric] = {"value": estimate.value, "ci95": ends}
    seconds = sum(cost["train_seconds"] for cost in costs) / len(costs)
    return {"metrics": metrics, "seeds": [model.seed for model in models], "train_seconds": seconds}


def sentences(found: dict[str, Any]) -> list[str]:
    """The answer, and how it was come by."""
    names = tuple(run["name"] for run in found["runs"])
    higher: dict[str, list[str]] = {name: [] for name in names}
    rest = []
    for pair in found["comparisons"]:
        if pair["metric"] == "roc_auc":
            said = recommendation.verdict(pair, names)
            gap = (
                f"{REGIME_TITLES[pair['a']]} ({tables.signed(pair['difference'])}, {tables.signed_span(pair['ci95'])})"
            )
            winner = next((name for name in names if said == f"{name} higher"), None)
            (higher[winner] if winner else rest).append(gap)
    parts = [f"ROC AUC is higher in {name} for {', '.join(own)}." for name, own in higher.items() if own]
    if rest:
        parts.append(f"No difference in ROC AUC shown for {', '.join(rest)}, which does not prove the runs equal.")
    return [" ".join(parts), *_manner(found)]


def _manner(found: dict[str, Any]) -> list[str]:
    a, b = (run["name"] for run in found["runs"])
    how = (
        "Both runs were judged on the same test images, so their predictions are paired."
        if found["paired"]
        else "The runs were judged on different test images, so no predictions are paired: the intervals of the "
        "differences are wider, and a difference may come from the patients as well as from the training."
    )
    what = [row["what"] for row in found["differing"] if not row["what"].startswith("version of")]
    return [
        f"Differences are {a} less {b}, in brackets their 95% intervals. {how}",
        f"The runs differ in {', '.join(what)}." if what else "The runs were made alike.",
    ]


def main_table(found: dict[str, Any]) -> Table:
    """ROC AUC, accuracy and training time of each regime in both runs."""
    headers = ["Regime", "Run", "ROC AUC", "Accuracy", "Recall (sensitivity)", "Specificity", "Training time", "Seeds"]
    rows = []
    for regime in found["runs"][0]["regimes"]:
        for run in found["runs"]:
            own = run["regimes"][regime]
            shown = ("roc_auc", "accuracy", "recall", "specificity")
            rows.append(
                [
                    Cell(REGIME_TITLES[regime]),
                    Cell(run["name"]),
                    *(tables.metric_cell(own["metrics"][metric]) for metric in shown),
                    Cell(tables.duration(own["train_seconds"])),
                    Cell(", ".join(map(str, own["seeds"]))),
                ]
            )
    return headers, rows


def differences_table(found: dict[str, Any]) -> Table:
    """Every difference, metric by metric."""
    names = tuple(run["name"] for run in found["runs"])
    rows = [
        [
            METRIC_NAMES[pair["metric"]],
            REGIME_TITLES[pair["a"]],
            Cell(tables.signed(pair["difference"]), tables.signed_span(pair["ci95"])),
            tables.probability(pair["p_value"]),
            tables.probability(pair["p_value_holm"]),
            pair["test"],
            recommendation.verdict(pair, names),
        ]
        for pair in found["comparisons"]
    ]
    return ["Metric", "Regime", "Difference (95% interval)", "p", "p, corrected", "Test", "What this says"], rows


def markdown(found: dict[str, Any]) -> str:
    """The report's first screen as Markdown."""
    a, b = (tables.markdown_text(run["name"]) for run in found["runs"])
    first, *others = (tables.markdown_text(sentence) for sentence in sentences(found))
    headers, rows = main_table(found)
    rows = [[Cell(tables.markdown_text(str(cell))) for cell in row] for row in rows]
    differing = [
        f"- {row['what']}: {tables.markdown_text(row['a'])} against {tables.markdown_text(row['b'])}"
        for row in found["differing"]
    ]
    return "\n\n".join(
        [
            *(f"# {a} against {b}", f"**{first}**", *others, tables.markdown_table(headers, rows)),
            *("\n".join(differing), "Not for clinical use.\n"),
        ]
    )


def terminal_text(found: dict[str, Any]) -> str:
    """The answer as plain text: differences in ROC AUC and accuracy, and the sentences."""
    names = tuple(run["name"] for run in found["runs"])
    rows = [["Regime", "Metric", *names, "Difference", "95% interval", "p, corrected"]]
    for pair in found["comparisons"]:
        if pair["metric"] in FIRST_METRICS:
            values = [run["regimes"][pair["a"]]["metrics"][pair["metric"]]["value"] for run in found["runs"]]
            rows.append(
                [
                    *(REGIME_TITLES[pair["a"]], METRIC_NAMES[pair["metric"]], *map(tables.decimal, values)),
                    *(tables.signed(pair["difference"]), tables.signed_span(pair["ci95"])),
                    tables.probability(pair["p_value_holm"]),
                ]
            )
    return "\n".join([*tables.ruled(tables.aligned(rows)), "", *sentences(found), ""])
