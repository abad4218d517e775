"""Writes `model_card.md`: what is known from files and measurements, and blanks for what only a person can tell.

After Mitchell et al. 2019 (arXiv:1810.03993); the blanks are those of the reporting checklist.
"""

from components.artifacts.comparison import ComparisonRecord
from components.artifacts.described_data import Flow
from components.artifacts.names import REGIME_TITLES
from components.compare.inputs import Inputs
from components.compare.report import checklist, failures, formats
from components.compare.report.notes import notes
from components.compare.report.page import external_subject
from components.compare.report.table import escaped, markdown, table
from components.compare.report.tables import cost, main, provenance, quality
from components.compare.report.titles import backbone_title, listed


def model_card(record: ComparisonRecord, inputs: Inputs) -> str:
    """The model card as Markdown.

    Args:
        record: content of `results.json`.
        inputs: the evaluations and the dataset summary.
    """
    run = record["run"]
    title = f"# Model card: pneumonia on chest X-rays{' – ' + escaped(run['id']) if run['id'] else ''}"
    about = (
        f"Written by pneumonia-benchmark {record['made_by']['versions']['pneumonia-benchmark']} from the results of "
        f"{run['finished'][:10]}; `report.html` has the details. What only a person can tell is marked *To be filled "
        "in*; which items of CLAIM 2024 and TRIPOD+AI it belongs to is in the report's section “Reporting checklist”."
    )
    parts = {
        "The models": _models(record),
        checklist.USE: _use(),
        checklist.DATA: _data(record, inputs),
        checklist.LABELS: [
            "The labels are those of the source's folders or tables; this project has not checked them."
        ],
        "Training": _training(record, inputs),
        "Performance": _performance(record, inputs),
        "Limits": _limits(record),
        checklist.STUDY: [],
    }
    body = ["\n\n".join([f"## {heading}", *paragraphs, *_blanks(heading)]) for heading, paragraphs in parts.items()]
    return "\n\n".join([title, about, *body]) + "\n"


def _blanks(heading: str) -> list[str]:
    """The blanks under a heading, as one list."""
    own = [item for item in checklist.ITEMS if item.blank and item.blank.heading == heading]
    return ["\n".join(f"- {item.topic}: _To be filled in: {item.blank.ask}._" for item in own if item.blank)] * bool(
        own
    )


def _models(record: ComparisonRecord) -> list[str]:
    regimes, size = record["regimes"], record["dataset"]["image_size"]
    names = listed([REGIME_TITLES[name] for name in regimes])
    return [
        f"{formats.counted(len(regimes), 'network that gives', 'networks that give')} the probability of pneumonia for "
        f"one frontal chest X-ray of {size} × {size} greyscale pixels, and use nothing but its pixels: {names}. "
        f"Backbone of the pre-trained ones: {escaped(backbone_title(record['backbone']))}.",
        escaped(record["recommendation"]["why"]),
        *map(escaped, failures.warnings(record)),
    ]


def _use() -> list[str]:
    return [
        "Made to compare ways of training. **Not for clinical use**: not for diagnosis, triage or second reading. The "
        "models were not developed or tested as a medical device and were not compared with clinicians."
    ]


def _data(record: ComparisonRecord, inputs: Inputs) -> list[str]:
    info, dataset = inputs.dataset.info, record["dataset"]
    found = info["quality"]
    facts = [
        f"Source: {escaped(info['source']['name'])}: {escaped(info['source']['description'])}",
        f"Fingerprint (SHA-256): `{dataset['fingerprint']}`",
        f"Resizing: {escaped(info['resize'])}",
        f"Splits: {escaped(info['split_rule'])}",
        provenance.balance_text(record),
        f"Images without a known patient: {formats.count(found['patient_unknown'])}",
        f"Patients in more than one split of the source: {formats.count(found['patients_in_several_splits']['count'])}",
        f"Groups of copies across splits: {formats.count(found['copies']['across_splits'])}",
    ]
    return [
        "\n".join(f"- {fact}" for fact in facts),
        mermaid(dataset["flow"]),
        markdown(provenance.splits_table(dataset["splits"])),
        *([markdown(provenance.characteristics_table(record))] if dataset["characteristics"] else []),
    ]


def mermaid(flow: Flow) -> str:
    """The flow diagram as Mermaid, which GitHub and GitLab draw; it can also be read as text."""
    refused = sum(group["files"] for group in flow["refused"])
    reasons = "; ".join(f"{formats.count(group['files'])} {group['reason']}" for group in flow["refused"][:6])
    lines = [
        "flowchart TD",
        f'found["{formats.count(flow["found"])} files found"] --> used["{formats.count(flow["used"])} images used"]',
        f'found -.-> refused["{formats.count(refused)} refused{f": {_plain(reasons)}" if reasons else ""}"]',
        f'found -.-> copies["{formats.count(flow["copies_dropped"])} left out as copies of others"]',
        *(
            f'used --> {name}["{name}: {formats.counted(split["images"], "image", "images")} of '
            f"{formats.counted(split['patients'], 'patient', 'patients')}, {formats.count(split['normal'])} normal, "
            f'{formats.count(split["pneumonia"])} pneumonia"]'
            for name, split in flow["splits"].items()
        ),
    ]
    return "\n    ".join(["```mermaid", *lines]) + "\n```"


def _plain(text: str) -> str:
    """Text that ends neither a label of a Mermaid diagram nor the block of code around it."""
    return " ".join(text.split()).translate(str.maketrans('"`<>#', "''‹›№"))


def _training(record: ComparisonRecord, inputs: Inputs) -> list[str]:
    run = record["run"]
    versions = ", ".join(f"{name} {version}" for name, version in run["versions"].items())
    return [
        f"- Seeds: {', '.join(map(str, run['seeds']))}. Each result is of single models, not of an ensemble, unless "
        "its row says otherwise.\n"
        "- Chosen on the validation images: best epoch, penalty and depths of the head, threshold and calibration.\n"
        f"- Hardware of the first training: {escaped(formats.hardware(run['hardware']))}\n"
        f"- Versions: {escaped(versions)}",
        markdown(provenance.recipe_table(inputs)),
        markdown(cost.cost_table(record)),
    ]


def _performance(record: ComparisonRecord, inputs: Inputs) -> list[str]:
    test = record["dataset"]["splits"]["test"]
    external = record.get("external_test")
    thresholds = [
        [
            REGIME_TITLES[name],
            formats.decimal(regime["threshold"]["value"]),
            f"{regime['threshold']['rule']}, on {regime['threshold']['chosen_on']}",
        ]
        for name, regime in record["regimes"].items()
    ]
    shown = [
        f"On {formats.count(test['images'])} test images of {formats.count(test['patients'])} patients; "
        "95% intervals in brackets.",
        markdown(main.main_table(record)),
        markdown(table(["Regime", "Threshold", "Rule"], thresholds)),
    ]
    if external:
        shown += [escaped(external_subject(external)), markdown(quality.external_table(record, external))]
    if inputs.subgroups:
        shown += ["Parts of the test images:", markdown(quality.subgroups_table(record))]
    return [*shown, "Cautions:", "\n".join(f"- {escaped(note)}" for note in notes(record, inputs))]


def _limits(record: ComparisonRecord) -> list[str]:
    test, size = record["dataset"]["splits"]["test"], record["dataset"]["image_size"]
    limits = [
        f"{formats.percent(test['pneumonia'], test['images'])} of the test images show pneumonia. Where it is rarer, "
        "precision is lower at the same sensitivity and specificity.",
        f"Details finer than {size} pixels across the image are not available to the models.",
        "Pneumonia is the only finding: a score near 0 does not mean that the image shows no other disease.",
    ]
    if "external_test" not in record:
        limits.append("No images of another source were tested.")
    return ["\n".join(f"- {limit}" for limit in limits)]
