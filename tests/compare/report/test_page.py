"""The report, the summary and the plots: complete, self-contained, safe, and true to the numbers."""

import base64
import itertools
import json
import re
from html.parser import HTMLParser
from itertools import pairwise

import pytest
from matplotlib import pyplot
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from components.artifacts import files
from components.artifacts.evaluation import METRICS, Evaluation
from components.artifacts.names import REGIME_TITLES
from components.compare import inputs, results
from components.compare.compare import compare
from components.compare.report import page as report_page
from components.compare.report import report_tables, style, tables
from components.compare.report.notes import notes

HOSTILE = "<script>alert('x')</script>\"><img src=//evil.example/x onerror=alert(1)>|](http://evil.example)"

MADE_BY = {"made_by": {"arguments": {}, "versions": {"pneumonia-benchmark": "0"}, "finished": "now"}}

PLOTS = {
    *("quality_against_time", "differences", "metrics", "roc_and_pr", "confusion", "calibration", "subgroups"),
    *("robustness", "learning_curves", "pareto", "cost"),
}


class Tags(HTMLParser):
    """Collects every tag with its attributes."""

    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))


@pytest.fixture(scope="module")
def page(compared):
    return (compared.folder / "report.html").read_text(encoding="utf-8")


def text_of(page):
    """The words that a reader sees, with plain spaces and dashes."""
    words = re.sub(r"<style>.*?</style>|<[^>]+>", " ", page, flags=re.DOTALL)
    return re.sub(r"\s+", " ", words.replace("\N{WORD JOINER}", "").replace("\N{NO-BREAK SPACE}", " "))


def render(write, evaluations, **summary):
    """The report without plots, and the summary."""
    given = inputs.load(evaluations, write.summary(**summary))
    found = MADE_BY | results.build(given, "run")
    return report_page.html(found, given, {}), report_page.markdown(found, given)


def test_the_report_has_every_section(page):
    headings = re.findall(r"<h2 id=\"(\w+)\">", page)
    assert headings == ["evidence", "mistakes", "data", "cost", "recipe", "reproduce", "card"]
    assert '<html lang="en">' in page


def test_headings_descend_one_level_at_a_time_from_a_single_first(page):
    levels = [int(tag[1]) for tag, _ in Tags(page).found if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


def test_keyboard_and_screen_reader_find_their_way(page):
    tags = Tags(page).found
    found = [tag for tag, _ in tags]
    assert [found.count(landmark) for landmark in ("header", "main", "nav", "footer")] == [1, 1, 1, 1]
    links = [attributes for tag, attributes in tags if tag == "a"]
    assert links[0]["class"] == "skip"
    ids = [attributes["id"] for _, attributes in tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    named = [attributes[key] for _, attributes in tags for key in ("aria-labelledby",) if key in attributes]
    assert {link["href"][1:] for link in links if link["href"].startswith("#")} | set(named) <= set(ids)
    boxes = [attributes for _, attributes in tags if attributes.get("class", "").split()[:1] in (["scroll"], ["card"])]
    for box in boxes:
        if "examples" not in box["class"]:
            assert box["tabindex"] == "0"
            assert box["role"] in ("region", "group")


def test_the_report_asks_nothing_of_anyone_and_runs_no_script(page):
    tags = Tags(page).found
    assert not {"script", "link", "iframe", "object", "form", "base"} & {tag for tag, _ in tags}
    for tag, attributes in tags:
        assert re.match(r"data:image/(png|jpeg);base64,", attributes.get("src", "data:image/png;base64,"))
        assert attributes.get("href", "#").startswith(("#", "https://doi.org/"))
        assert "href" not in attributes or tag == "a"
        assert not any(name.startswith("on") or name == "srcset" for name in attributes)
    assert "url(" not in page
    assert "@import" not in page


def test_the_report_looks_after_phones_paper_and_the_dark(page):
    style = page[page.index("<style>") : page.index("</style>")]
    for query in ("prefers-color-scheme: dark", "max-width: 34rem", "@media print"):
        assert query in style
    assert 'name="viewport" content="width=device-width' in page


def test_the_report_is_small_enough_to_mail(page):
    assert len(page.encode()) < 2_000_000


def test_the_first_screen_has_the_answer_the_table_and_the_key_picture(page, compared):
    first = page[: page.index("<nav")]
    words = text_of(first)
    assert compared.results["recommendation"]["why"].split(". ")[0] in words
    for name, regime in compared.results["regimes"].items():
        assert REGIME_TITLES[name] in words
        for metric in ("accuracy", "precision", "recall", "specificity", "f1", "roc_auc"):
            assert str(tables.metric_cell(regime["metrics"][metric])) in words
    assert "4 min 5 s" in words
    assert "735,361 (of 2,259,265)" in words
    assert first.count("<img") == 1


def test_every_picture_of_the_report_is_one_of_the_files_and_is_described(page, compared):
    pictures = [attributes for tag, attributes in Tags(page).found if tag == "img" and "png" in attributes["src"][:20]]
    shown = {base64.b64decode(picture["src"].split(",")[1]) for picture in pictures}
    assert {path.stem for path in compared.folder.glob("*.png")} == PLOTS
    assert {path.read_bytes() for path in compared.folder.glob("*.png")} < shown
    assert all(len(picture["alt"]) > 40 for picture in pictures)
    assert page.count("<figure>") == page.count("<figcaption>") == len(pictures) == len(PLOTS) + 1


def test_tables_have_captions_and_scopes(page):
    tags = Tags(page).found
    assert len([tag for tag, _ in tags if tag == "table"]) == len([tag for tag, _ in tags if tag == "caption"]) >= 6
    scopes = [attributes.get("scope") for tag, attributes in tags if tag == "th"]
    assert set(scopes) == {"row", "col", "rowgroup"}


def test_rows_of_a_kind_stand_together_under_one_heading(page):
    body = page[page.index('id="point-table"') :]
    table = body[: body.index("</table>")]
    assert re.findall(r'scope="rowgroup" rowspan="(\d)"', table) == ["3"] * 5
    assert table.count('<th scope="row">') == 15


def test_the_floor_stands_apart_from_the_regimes(page):
    body = page[page.index('id="main-table"') :]
    regimes, floor = body[: body.index("</table>")].split('<tbody class="apart">')
    assert "Logistic regression (floor)" in floor
    assert "Logistic regression (floor)" not in regimes
    assert floor.count("<tr>") == 1


def test_other_metrics_differences_are_starred_only_where_certain(write):
    given = inputs.load(write.evaluations(), write.summary())
    found = results.build(given, "")
    headers, rows = report_tables.further_differences_table(found)
    pairs = {(pair["a"], pair["b"]): None for pair in found["comparisons"]}
    assert headers[1:] == [f"{REGIME_TITLES[a]} − {REGIME_TITLES[b]}" for a, b in pairs]
    stars = {cell.value.endswith("*") for row in rows for cell in row[1:]}
    assert stars == {True, False}
    for row, metric in zip(rows, [name for name in METRICS if name not in ("roc_auc", "accuracy")], strict=True):
        for cell, (a, b) in zip(row[1:], pairs, strict=True):
            (pair,) = (p for p in found["comparisons"] if (p["metric"], p["a"], p["b"]) == (metric, a, b))
            low, high = pair["ci95"]
            certain = not low <= 0 <= high and pair["p_value"] <= 0.05 and pair["p_value_holm"] <= 0.05
            assert cell.value.endswith(" *") == certain


def test_the_report_tells_data_recipe_and_origin(page):
    words = text_of(page)
    for expected in (
        *("Byte-identical images: 60, in 30 groups", "Patients in more than one split of the source: 12"),
        *("Copies of the same picture, by their pixels: 6, in 3 groups", "2 re-encoded or resized, 1 across splits"),
        *("0 across classes, 1 across patients", "None was left out", "A picture in more than one split"),
        "Folders that are no class, left out: train/COVID",
        *("train/broken.jpeg", "the file ends too early", "Images that do not tell whom they show: 4"),
        *("1 file was refused", "4,185", "1,075 (25.7%)", "batch size", "shift 0.05, flip yes", "0.001"),
        *("run-7", "ab12" * 16, "A processor, 2 cores, 16 GB, no GPU", "numpy", "python -m pipelines.local --source"),
        *("Not for clinical use", "one hospital in Guangzhou", "paired", "No difference shown"),
    ):
        assert expected in words, expected


def test_mistakes_are_shown_as_every_regime_saw_them(page, compared):
    body = page[page.index('id="mistake-table"') :]
    table = body[: body.index("</table>")]
    pictures = [attributes for tag, attributes in Tags(table).found if tag == "img"]
    assert len(pictures) == 6 * (1 + len(compared.results["regimes"]))
    assert {picture["alt"].split(":")[0] for picture in pictures} == {
        *(REGIME_TITLES[name] for name in compared.results["regimes"]),
        *("Chest X-ray with the label normal", "Chest X-ray with the label pneumonia"),
    }
    rows = table.split("<tr>")[2:]
    assert all("✗ wrong" in row for row in rows)
    assert "Where the regimes disagree most" in page
    assert "Typical images" in page


def test_without_explanations_there_is_no_section_of_them(write):
    page, _ = render(write, write.evaluations(["custom_cnn", "full_fine_tuning"]))
    assert "mistakes" not in page
    folders = [write.evaluation("custom_cnn", "with", explained=True), write.evaluation("full_fine_tuning", "without")]
    page, _ = render(write, folders)
    assert "Grad-CAM" not in page


def test_hostile_image_names_stay_text_beside_their_pictures(write):
    index = write.index(images=60, patients=60)
    index["image"] = HOSTILE + index["image"]
    noise = 1 - index["label"] * 0.9
    page, _ = render(write, [write.evaluation("custom_cnn", index=index, scores=noise, explained=True)])
    body = page[page.index('id="mistake-table"') :]
    assert "&lt;script&gt;" in body
    assert "script" not in {tag for tag, _ in Tags(page).found}


def test_hostile_names_stay_text(write):
    page, markdown = render(
        write,
        write.evaluations(["custom_cnn", "full_fine_tuning"]),
        description=HOSTILE,
        refused=[{"image": HOSTILE, "reason": HOSTILE}],
        duplicates={"groups": 1, "images": 2, "across_splits": 0, "across_classes": 0, "examples": [[HOSTILE, "b"]]},
        patients_in_several_splits={"count": 1, "examples": [HOSTILE]},
        ignored_folders=[HOSTILE],
        copies={
            **{"groups": 1, "images": 2, "re_encoded": 0, "across_splits": 0, "across_classes": 0},
            **{"across_patients": 0, "dropped": 1, "examples": [[HOSTILE, "b"]]},
        },
    )
    assert "1 image was left out" in page
    tags = Tags(page).found
    assert "script" not in {tag for tag, _ in tags}
    assert not any("onerror" in attributes for _, attributes in tags)
    assert page.count("&lt;script&gt;") >= 5
    assert "<script" not in markdown


def test_a_hostile_run_id_stays_text(write):
    given = inputs.load(write.evaluations(["custom_cnn"]), write.summary())
    found = MADE_BY | results.build(given, HOSTILE)
    assert "script" not in {tag for tag, _ in Tags(report_page.html(found, given, {})).found}
    heading = report_page.markdown(found, given).splitlines()[0]
    assert "&lt;script&gt;" in heading
    assert "\\]\\(http" in heading


@pytest.mark.parametrize(
    ("source", "description", "words"),
    [
        ("synthetic", "60 simulated radiographs", "The images are simulated."),
        ("pneumoniamnist", "PneumoniaMNIST at 128 px", "The images are of children aged one to five"),
        (
            "kaggle",
            "the dataset paultimothymooney/chest-xray-pneumonia of Kaggle",
            "one hospital in Guangzhou (Kermany",
        ),
        ("kaggle", "the dataset nih-chest-xrays/data of Kaggle", "Nothing is known of these images but"),
        ("directory", "the folder chest_xray", "Nothing is known of these images but"),
    ],
)
def test_limits_speak_of_the_data_that_were_used(write, source, description, words):
    page, _ = render(write, write.evaluations(["custom_cnn"]), source=source, description=description)
    assert words in text_of(page)


def test_the_report_of_several_seeds_lists_every_training(write):
    folders = [write.evaluation("custom_cnn", seed=seed) for seed in (0, 1)]
    page, markdown = render(write, folders)
    assert "Every single training" in page
    assert "means over the seeds" in text_of(page)
    assert "means over the seeds" in markdown


def test_training_times_of_different_machines_are_said_not_to_be_comparable(write):
    folders = [write.evaluation("custom_cnn"), write.evaluation("full_fine_tuning", gpu="A GPU")]
    page, markdown = render(write, folders)
    assert "not comparable" in page[: page.index("<nav")]
    assert "not comparable" in markdown
    assert "Peak GPU memory" in page


def test_notes_warn_of_few_patients_and_of_flawless_models(write):
    index = write.index(images=30, patients=20)
    given = inputs.load([write.evaluation("custom_cnn", index=index, scores=index["label"])], write.summary())
    text = " ".join(notes(results.build(given, ""), given))
    assert "only 7 test patients" in text
    assert "no mistake of a kind" in text


def test_notes_name_a_model_whose_scores_are_all_equal(write):
    equal = write.evaluation("custom_cnn", seed=2, scores=[0.5] * 300)
    given = inputs.load([equal, write.evaluation("full_fine_tuning")], write.summary())
    (note,) = [note for note in notes(results.build(given, ""), given) if "same score" in note]
    assert "every test image: Custom CNN (seed 2). " in note
    assert "learning rate" in note


def test_notes_name_a_training_that_diverged_and_the_remedy(write):
    folders = [write.evaluation("custom_cnn", diverged=True), write.evaluation("full_fine_tuning")]
    given = inputs.load(folders, write.summary())
    (note,) = [note for note in notes(results.build(given, ""), given) if "Diverged" in note]
    assert ": Custom CNN (seed 0). Train with a lower learning rate" in note


def test_notes_are_silent_where_there_is_nothing_to_warn_of(write):
    given = inputs.load(write.evaluations(["custom_cnn"]), write.summary(patient_unknown=0))
    assert [note.split(":")[0] for note in notes(results.build(given, ""), given)] == ["Each regime was trained once"]


def test_the_summary_is_the_first_screen_as_markdown(compared):
    text = (compared.folder / "summary.md").read_text(encoding="utf-8")
    lines = text.splitlines()
    assert lines[0] == "# Which training is worth its cost – run-7"
    assert lines[4].startswith("**Partial fine-tuning is worth its cost")
    rows = [line for line in lines if line.startswith("|")]
    assert len(rows) == 7
    assert {row.count("|") for row in rows} == {13}
    assert "Not for clinical use." in lines


def test_kubeflow_gets_the_report_and_the_summary_as_single_files(compared):
    assert compared.html.read_bytes() == (compared.folder / "report.html").read_bytes()
    assert compared.markdown.read_bytes() == (compared.folder / "summary.md").read_bytes()
    assert {path.name for path in compared.html.parent.iterdir()} == {"report-copy.html", "summary-copy.md"}


def test_one_flawless_regime_with_two_seeds_and_no_robustness_can_be_drawn(write, tmp_path):
    index = write.index(images=40, patients=40)
    folders = [write.evaluation("full_fine_tuning", seed=seed, index=index, scores=index["label"]) for seed in (0, 1)]
    for folder in folders:
        changed = Evaluation.load(folder).results | {"robustness": {}}
        files.write_json(folder / "evaluation.json", changed)
    compare(folders, write.summary(), tmp_path / "out")
    assert not (tmp_path / "out" / "robustness.png").exists()
    assert "robustness" not in (tmp_path / "out" / "report.html").read_text()


def test_one_regime_alone_has_neither_differences_nor_fronts_nor_subgroups_nor_a_floor(write, tmp_path):
    index = write.index(images=60, patients=60).assign(subtype="", patient_seen=0)
    compare([write.evaluation("custom_cnn", index=index)], write.summary(), tmp_path / "out")
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    for absent in ("Differences between regimes", "Subgroups", "Against the floor", 'class="apart"'):
        assert absent not in page
    assert {path.stem for path in (tmp_path / "out").glob("*.png")} == PLOTS - {"differences", "pareto", "subgroups"}


def test_a_data_set_without_example_images_has_no_picture_of_them(write):
    summary = write.summary()
    (summary / "examples.png").unlink()
    given = inputs.load([write.evaluation("custom_cnn")], summary)
    page = report_page.html(MADE_BY | results.build(given, ""), given, {})
    assert "Examples of the training images" not in page
    assert "<img" not in page


def test_drawing_leaves_matplotlib_as_it_was(compared):
    assert compared.settings_after == compared.settings_before
    assert pyplot.get_fignums() == []


def test_what_came_from_a_cache_is_said_and_nothing_where_the_start_is_unknown(write, tmp_path):
    evaluations = write.evaluations(["custom_cnn", "full_fine_tuning"])
    training = evaluations[1] / "evaluation.json"
    content = json.loads(training.read_text())
    content["training"]["made_by"]["finished"] = "2020-01-01T00:00:00Z"
    training.write_text(json.dumps(content))
    summary = write.summary()
    given = inputs.load(evaluations, summary)
    for run_started, expected in (
        ("2999-01-01T00:00:00", ["dataset", "custom_cnn", "full_fine_tuning"]),
        ("2020-01-01T00:00:00Z", []),
        ("{{$.pipeline_job_create_time_utc}}", []),
        ("", []),
    ):
        assert inputs.from_cache(given, run_started) == expected
    found = compare(evaluations, summary, tmp_path / "out", run_started="2020-01-01T00:00:01Z")
    assert found["run"]["from_cache"] == ["full_fine_tuning"]
    assert "cache: the training of Full fine-tuning" in (tmp_path / "out" / "report.html").read_text()
    found["run"]["from_cache"] = ["dataset"]
    assert "The prepared dataset was taken from an earlier run by Kubeflow's cache." in notes(found, given)


def test_a_second_data_set_stands_beside_the_first(write):
    other = write.index(images=150, patients=100)
    folders = [write.evaluation(name, external=other) for name in ("custom_cnn", "full_fine_tuning")]
    page, markdown = render(write, folders)
    given = inputs.load(folders, write.summary())
    found = results.build(given, "")["external"]["regimes"]["custom_cnn"]["metrics"]["roc_auc"]
    assert "On images from elsewhere" in page
    assert "150 images of 100 patients" in text_of(page)
    assert str(tables.metric_cell(found)) in text_of(page)
    assert str(tables.metric_cell(found)) in markdown
    assert "<b>hospital" not in page + markdown
    assert "On images from elsewhere" not in render(write, [write.evaluation("custom_cnn", "plain")])[0]


def test_the_report_tells_floor_thresholds_calibration_subgroups_and_prices(page, compared):
    words = text_of(page)
    for expected in (
        *("Against the floor", "Logistic regression (floor)", "Every threshold", "90% specificity", "Youden's J"),
        *("Scores as probabilities", "1.400", "Subgroups", "viral pneumonia against normal", "of other patients"),
        *("Differences in the other metrics", "DeLong over patients", "McNemar, exact, over patients"),
        *("Time to validation AUC 0.95", "Not beaten, cheapest first", "read off the test curve"),
    ):
        assert expected in words.replace("&#39;", "'"), expected
    fit = compared.results["regimes"]["custom_cnn"]["calibration"]["after"]["ece"]
    assert str(tables.metric_cell(fit)) in words


def test_seeds_tables_have_their_standard_deviation(write):
    folders = [write.evaluation("custom_cnn", seed=seed) for seed in (0, 1)]
    given = inputs.load([*folders, write.evaluation("full_fine_tuning")], write.summary())
    found = results.build(given, "")
    rows = report_tables.seeds_table(found)[1]
    assert [row[1] for row in rows] == ["0", "1", "standard deviation"]
    assert rows[2][2] == tables.decimal(found["regimes"]["custom_cnn"]["metrics"]["roc_auc"]["sd_seeds"])
    assert "speak of patients only: Full fine-tuning" in " ".join(notes(found, given))


@pytest.mark.parametrize("seconds", [[0.3, 9, 15, 245], [0.05, 90_000], [10, 100], [3, 4]])
def test_the_labels_of_the_time_axis_do_not_touch(seconds):
    figure = Figure(figsize=(5, 4))
    axes = figure.subplots()
    style.time_axis(axes, seconds)
    FigureCanvasAgg(figure).draw()
    boxes = [label.get_window_extent() for label in axes.get_xticklabels()]
    assert len(boxes) >= 3
    assert all(left.x1 < right.x0 for left, right in pairwise(boxes))
