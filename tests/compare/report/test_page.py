"""The report: complete, self-contained, safe, and true to the numbers."""

import base64
import itertools
import re
from html.parser import HTMLParser

import pytest

from components import planning
from components.artifacts.names import REGIME_TITLES
from components.compare import (
    inputs,
    results,
)
from components.compare.report import page as report_page
from components.compare.report import summary
from components.compare.report.table import metric_cell
from tests.compare.conftest import HOSTILE, PLOTS, make_record, render


class Tags(HTMLParser):
    """Collects every tag with its attributes."""

    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))


def text_of(page):
    """The words that a reader sees, with plain spaces and dashes."""
    words = re.sub(r"<style>.*?</style>|<[^>]+>", " ", page, flags=re.DOTALL)
    return re.sub(r"\s+", " ", words.replace("\N{WORD JOINER}", "").replace("\N{NO-BREAK SPACE}", " "))


@pytest.fixture(scope="module")
def page(compared):
    return (compared.folder / "report.html").read_text(encoding="utf-8")


def test_the_report_has_every_section(page):
    headings = re.findall(r"<h2 id=\"(\w+)\">", page)
    assert headings == ["evidence", "mistakes", "data", "cost", "recipe", "reproduce", "card", "checklist"]
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


def test_the_report_loads_nothing_and_runs_no_script(page):
    tags = Tags(page).found
    assert not {"script", "link", "iframe", "object", "form", "base"} & {tag for tag, _ in tags}
    for tag, attributes in tags:
        assert re.match(r"data:image/(png|jpeg);base64,", attributes.get("src", "data:image/png;base64,"))
        assert attributes.get("href", "#").startswith(("#", "https://doi.org/"))
        assert "href" not in attributes or tag == "a"
        assert not any(name.startswith("on") or name == "srcset" for name in attributes)
    assert "url(" not in page
    assert "@import" not in page


def test_the_report_has_styles_for_phones_paper_and_dark_mode(page):
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
            assert str(metric_cell(regime["metrics"][metric])) in words
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


def test_rows_of_a_group_share_one_heading(page):
    body = page[page.index('id="point-table"') :]
    table = body[: body.index("</table>")]
    assert re.findall(r'scope="rowgroup" rowspan="(\d)"', table) == ["3"] * 5
    assert table.count('<th scope="row">') == 15


def test_the_baseline_is_separate_from_the_regimes(page):
    body = page[page.index('id="main-table"') :]
    regimes, baseline = body[: body.index("</table>")].split('<tbody class="apart">')
    assert "Logistic regression (baseline)" in baseline
    assert "Logistic regression (baseline)" not in regimes
    assert baseline.count("<tr>") == 1


def test_the_report_describes_data_recipe_and_origin(page):
    words = text_of(page)
    for expected in (
        *("Byte-identical images: 60, in 30 groups", "Patients in more than one split of the source: 12"),
        *("Copies of the same image, by their pixels: 6, in 3 groups", "2 re-encoded or resized, 1 across splits"),
        *("0 across classes, 1 across patients", "None was left out", "An image in more than one split"),
        "Folders that are not a class, left out: train/COVID",
        *("train/broken.jpeg", "the file ends too early", "Images without a known patient: 4"),
        *("1 file was refused", "4,185", "1,075 (25.7%)", "batch size", "shift 0.05, flip yes", "0.001"),
        *("run-7", "ab12" * 16, "A processor, 2 cores, 16 GB, no GPU", "numpy", "python -m pipelines.local --source"),
        *("Not for clinical use", "one hospital in Guangzhou", "paired", "No difference shown"),
    ):
        assert expected in words, expected


def test_the_report_says_what_the_test_set_can_show(page, compared):
    text = text_of(page)
    low, high = compared.results["planning"]["assumed"][1]["detectable"]
    assert f"a difference in ROC AUC of about {low:.3f} to {high:.3f} can be shown with 80% power" in text
    assert "0.3 to 0.7 between the ROC AUCs of two models, 0.5 between two images of a patient" in text
    assert "shows with 80% power" in text
    assert "Few validation patients" not in text


def test_the_report_warns_of_few_validation_patients(write):
    given = inputs.load([write.evaluation("custom_cnn")], write.summary())
    found = planning.plan(given.labels, given.patients)
    given.dataset.info["planning"] = {**found, "validation_patients": {"normal": 9, "pneumonia": 70}}
    page = report_page.html(make_record(given), given, {})
    assert "Few validation patients (9 normal)" in text_of(page)


def test_mistakes_are_shown_with_the_explanation_of_every_regime(page, compared):
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
    found = make_record(given, HOSTILE)
    assert "script" not in {tag for tag, _ in Tags(report_page.html(found, given, {})).found}
    heading = summary.markdown_summary(found, given).splitlines()[0]
    assert "&lt;script&gt;" in heading
    assert "\\](http" in heading


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
        ("kaggle", "the dataset nih-chest-xrays/data of Kaggle", "Nothing is known about these images except"),
        ("directory", "a copy of paultimothymooney/chest-xray-pneumonia here", "Nothing is known about these images"),
        ("directory", "the folder chest_xray", "Nothing is known about these images except"),
    ],
)
def test_the_origin_of_the_images_is_that_of_the_data_used(write, source, description, words):
    page, _ = render(write, write.evaluations(["custom_cnn"]), source=source, description=description)
    assert words in text_of(page)


def test_the_report_of_several_seeds_lists_every_training(write):
    folders = [write.evaluation("custom_cnn", seed=seed) for seed in (0, 1)]
    page, markdown = render(write, folders)
    assert "Every training: the variation between seeds" in page
    assert "means over the seeds" in text_of(page)
    assert "means over the seeds" in markdown


def test_a_dataset_without_example_images_has_no_picture_of_them(write):
    summary = write.summary()
    (summary / "examples.png").unlink()
    given = inputs.load([write.evaluation("custom_cnn")], summary)
    page = report_page.html(make_record(given, ""), given, {})
    assert "Examples of the training images" not in page
    assert "<img" not in page


def test_the_external_test_set_has_a_section_of_its_own(write):
    other = write.index(images=150, patients=100)
    folders = [write.evaluation(name, external=other) for name in ("custom_cnn", "full_fine_tuning")]
    page, markdown = render(write, folders)
    given = inputs.load(folders, write.summary())
    found = results.build(given, "")["external"]["regimes"]["custom_cnn"]["metrics"]["roc_auc"]
    assert "External test set</h3>" in page
    assert "150 images of 100 patients" in text_of(page)
    assert str(metric_cell(found)) in text_of(page)
    assert str(metric_cell(found)) in markdown
    assert "<b>hospital" not in page + markdown
    assert "External test set</h3>" not in render(write, [write.evaluation("custom_cnn", "plain")])[0]


def test_the_report_has_baseline_thresholds_calibration_subgroups_and_prices(page, compared):
    words = text_of(page)
    for expected in (
        *(
            "Comparison with the baseline",
            "Logistic regression (baseline)",
            "Every threshold",
            "90% specificity",
            "Youden's J",
        ),
        *("Calibration", "1.400", "Subgroups", "viral pneumonia against normal", "of other patients"),
        *("Differences in the other metrics", "DeLong over patients", "bootstrap over patients"),
        *("Time to validation AUC 0.95", "Pareto-optimal regimes, cheapest first", "read off the test curve"),
    ):
        assert expected in words.replace("&#39;", "'"), expected
    fit = compared.results["regimes"]["custom_cnn"]["calibration"]["after"]["ece"]
    assert str(metric_cell(fit)) in words
