"""The comparison of two runs in words and tables."""

from collections.abc import Iterable

from components.artifacts import trained_model
from components.artifacts.comparison import FIRST_METRICS, RunsRecord, RunsResults, Setting
from components.artifacts.names import REGIME_TITLES
from components.compare import recommendation
from components.compare.report import failures, formats
from components.compare.report.page import embedded, rendered
from components.compare.report.plots.picture import Picture
from components.compare.report.recommendation import verdict_text
from components.compare.report.table import (
    Row,
    Table,
    difference_cell,
    escaped,
    markdown,
    metric_cell,
    plain_text,
    table,
)
from components.compare.report.titles import METRIC_TITLES, SUMMARY_METRICS, backbone_title
from components.compare.runs import Run


def differing(a: Run, b: Run) -> list[Setting]:
    """What the two runs were made with, where that differs."""
    first, second = _settings(a), _settings(b)
    found: list[Setting] = [
        {"what": name, "a": first.get(name, formats.UNKNOWN), "b": second.get(name, formats.UNKNOWN)}
        for name in dict.fromkeys([*first, *second])
    ]
    return [setting for setting in found if setting["a"] != setting["b"]]


def _settings(run: Run) -> dict[str, str]:
    """What a run was made with, in words."""
    info, models = run.inputs.dataset.info, run.inputs.models
    trainings = [model.record["training"] for model in models]
    backbones = {backbone_title(own) for own in (training["backbone"] for training in trainings) if own}
    arguments = trained_model.arguments(trainings[0])
    skipped = ("regime", "seed", "backbone", "weights")
    return {
        "backbone": _joined(sorted(backbones)) or "none",
        "image size": f"{info['image_size']} px",
        "hardware": _joined(sorted({formats.hardware(training["hardware"]) for training in trainings})),
        "source": f"{info['source']['name']}: {info['source']['description']}",
        "dataset fingerprint": info["fingerprint"],
        "test images": f"{len(run.inputs.labels):,}",
        "regimes": _joined(run.inputs.regimes),
        "seeds": _joined(sorted({str(model.seed) for model in models})),
        **{name.replace("_", " "): str(value) for name, value in arguments.items() if name not in skipped},
        **{f"version of {name}": version for name, version in trainings[0]["made_by"]["versions"].items()},
    }


def _joined(parts: Iterable[str]) -> str:
    return "; ".join(parts)


def names_of(results: RunsResults) -> tuple[str, str]:
    """The names of the two runs."""
    first, second = (run["name"] for run in results["runs"])
    return first, second


def sentences(results: RunsResults) -> list[str]:
    """The answer, and the method."""
    names = names_of(results)
    higher: dict[str, list[str]] = {name: [] for name in names}
    rest = []
    for pair in results["comparisons"]:
        if pair["metric"] == "roc_auc":
            gap = (
                f"{REGIME_TITLES[pair['a']]} ({formats.signed(pair['difference'])}, "
                f"{formats.signed_span(pair['ci95'])})"
            )
            found = recommendation.verdict(pair)
            if found.higher and found.certain:
                higher[names[0] if found.higher == "a" else names[1]].append(gap)
            else:
                rest.append(gap)
    parts = [f"ROC AUC is higher in {name} for {', '.join(own)}." for name, own in higher.items() if own]
    if rest:
        parts.append(f"No difference in ROC AUC shown for {', '.join(rest)}, which does not prove the runs equal.")
    return [" ".join(parts), *_method(results)]


def _method(results: RunsResults) -> list[str]:
    first, second = names_of(results)
    how = (
        "Both runs were evaluated on the same test images, so their predictions are paired."
        if results["paired"]
        else "The runs were evaluated on different test images, so no predictions are paired: the intervals of the "
        "differences are wider, and a difference may be due to the patients as well as to the training."
    )
    what = [row["what"] for row in results["differing"] if not row["what"].startswith("version of")]
    return [
        f"Differences are {first} minus {second}, with their 95% intervals in brackets. {how}",
        f"The runs differ in {', '.join(what)}." if what else "The runs have the same settings.",
    ]


def main_table(results: RunsResults) -> Table:
    """Quality and training time of each regime in both runs."""
    headers = ["Regime", "Run", *(METRIC_TITLES[metric] for metric in SUMMARY_METRICS), "Training time", "Seeds"]
    rows: list[Row] = [
        [
            REGIME_TITLES[regime],
            run["name"],
            *(metric_cell(run["regimes"][regime]["metrics"][metric]) for metric in SUMMARY_METRICS),
            formats.duration(run["regimes"][regime]["train_seconds"]),
            ", ".join(map(str, run["regimes"][regime]["seeds"])),
        ]
        for regime in results["runs"][0]["regimes"]
        for run in results["runs"]
    ]
    return table(headers, rows)


def differences_table(results: RunsResults) -> Table:
    """Every difference, metric by metric."""
    names = names_of(results)
    rows: list[Row] = [
        [
            METRIC_TITLES[pair["metric"]],
            REGIME_TITLES[pair["a"]],
            difference_cell(pair["difference"], pair["ci95"]),
            formats.probability(pair["p_value"]),
            formats.probability(pair["p_value_holm"]),
            pair["test"],
            verdict_text(pair, names),
        ]
        for pair in results["comparisons"]
    ]
    return table(["Metric", "Regime", "Difference (95% interval)", "p", "p, corrected", "Test", "Conclusion"], rows)


def html(record: RunsRecord, picture: Picture) -> str:
    """The report as one HTML file without external resources.

    Args:
        record: content of `results.json`.
        picture: of the differences, already on disk.
    """
    settings = [[row["what"], row["a"], row["b"]] for row in record["differing"]]
    return rendered(
        "runs.html.j2",
        found=record,
        sentences=sentences(record),
        failures=failures.warnings_of_runs(record),
        compared=failures.compared_of_runs(record),
        main=main_table(record),
        differences=differences_table(record),
        differing=table(["Setting", *names_of(record)], settings),
        picture=picture,
        image=embedded(picture.file),
    )


def markdown_summary(results: RunsResults) -> str:
    """The first screen of the report as Markdown."""
    first, second = map(escaped, names_of(results))
    answer, *further = map(escaped, sentences(results))
    warnings = map(escaped, failures.warnings_of_runs(results))
    settings = [
        f"- {escaped(row['what'])}: {escaped(row['a'])} against {escaped(row['b'])}" for row in results["differing"]
    ]
    return "\n\n".join(
        [
            *(f"# {first} against {second}", f"**{answer}**", *further, *warnings, markdown(main_table(results))),
            *("\n".join(settings), "Not for clinical use.\n"),
        ]
    )


def plain_text_summary(results: RunsResults) -> str:
    """The answer as plain text: differences in ROC AUC and accuracy, and the sentences."""
    headers = ["Regime", "Metric", *names_of(results), "Difference", "95% interval", "p, corrected"]
    rows: list[Row] = []
    for pair in results["comparisons"]:
        if pair["metric"] in FIRST_METRICS:
            values = (run["regimes"][pair["a"]]["metrics"][pair["metric"]]["value"] for run in results["runs"])
            rows.append(
                [
                    *(REGIME_TITLES[pair["a"]], METRIC_TITLES[pair["metric"]], *map(formats.decimal, values)),
                    *(formats.signed(pair["difference"]), formats.signed_span(pair["ci95"])),
                    formats.probability(pair["p_value_holm"]),
                ]
            )
    warnings = failures.warnings_of_runs(results)
    return "\n".join([plain_text(table(headers, rows)), "", *sentences(results), *warnings, ""])
