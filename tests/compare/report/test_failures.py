"""What the report says of regimes whose training failed."""

import re
from types import SimpleNamespace

import pandas as pd
import pytest

from components.artifacts.names import FLOOR, REGIME_TITLES, REGIMES
from components.compare.between_runs import compare_runs
from components.compare.compare import compare
from components.compare.recommendation import decide
from components.compare.report import failures
from components.compare.report.recommendation import picks, sentences
from tests.compare.conftest import HOSTILE, blank_pictures, render, write_evaluation, write_failure, write_summary
from tests.compare.findings import make_findings
from tests.compare.report.test_page import Tags, text_of

REASON = f"weights of\n/data/a|b*c*.h5 are missing {HOSTILE}"
FAILED = {"cause": "out of memory", "reason": "use a smaller --batch-size", "seconds": 185.0}

TOO_MUCH = re.compile(
    r"\b(all|every|each|no|both)( of the)?( other)?( four)? (regimes?|networks?|trainings?|others)\b|\bfour\b",
    re.IGNORECASE,
)
"""Words that claim something of regimes about which nothing is known."""

ALLOWED = ("Every regime's result is of single models", "none: every regime's result is of single models")
"""Of the method, not of these results."""


@pytest.fixture(scope="module")
def failed(tmp_path_factory):
    """The files of a comparison in which one regime failed."""
    base = tmp_path_factory.mktemp("failed")
    folders = [
        *(write_evaluation(base / name, name, explained=True) for name in REGIMES if name != "partial_fine_tuning"),
        write_failure(base / "failed", "partial_fine_tuning", cause="error", reason=REASON),
        write_evaluation(base / FLOOR, FLOOR),
    ]
    out = base / "out"
    with pytest.MonkeyPatch.context() as patch:
        blank_pictures(patch)
        compare(folders, write_summary(base / "summary"), out, "run")
    texts = {path.name: path.read_text(encoding="utf-8") for path in out.iterdir() if path.suffix != ".png"}
    return SimpleNamespace(**{name.replace(".", "_"): text for name, text in texts.items()}, folder=out)


def lost(*names, **facts):
    """Findings of a comparison of what the given regimes left."""
    aucs = {name: 0.9 + place / 100 for place, name in enumerate(REGIMES) if name not in names}
    return make_findings(aucs | facts.pop("more", {}), **facts) | {"failed": dict.fromkeys(names, FAILED)}


def why(findings):
    return " ".join(sentences(findings, decide(findings)))


@pytest.mark.medium
def test_the_first_screen_warns_with_the_reason_and_what_it_means(failed):
    first = failed.report_html[: failed.report_html.index("<nav")]
    (warning,) = (text for text in re.findall(r'<p class="caution">(.*?)</p>', first) if "failed" in text)
    assert warning.startswith(
        "Partial fine-tuning failed: stopped by an error, after 3 min 5 s. Reason: weights of /data"
    )
    assert warning.endswith("The comparison is of the other three regimes; nothing follows for this one.")
    assert first.index('class="answer"') < first.index(warning) < first.index("main-table")


def test_the_main_table_of_the_page_has_the_row_in_its_place(failed):
    body = failed.report_html[failed.report_html.index('id="main-table"') :]
    body = body[: body.index("</table>")]
    rows = re.findall(r'<th scope="row">(.*?)\s*</th>', body, re.DOTALL)
    assert [row.strip() for row in rows] == [REGIME_TITLES[name] for name in (*REGIMES, FLOOR)]
    columns = body.count('<th scope="col">')
    (row,) = re.findall(r'<td colspan="(\d+)"><span>(.*?)\s*</span></td>', body, re.DOTALL)
    assert int(row[0]) == columns - 1
    assert text_of(row[1]).strip() == "failed: stopped by an error, after 3 min 5 s"


def test_summary_card_and_terminal_have_row_and_warning(failed):
    for text in (failed.summary_md, failed.model_card_md):
        (row,) = (line for line in text.splitlines() if line.startswith("| Partial fine-tuning | failed"))
        assert row == "| Partial fine-tuning | failed: stopped by an error, after 3 min 5 s" + " | " * 10 + " |"
        assert "Partial fine-tuning failed: stopped by an error, after 3 min 5 s. Reason: weights of /data/a" in text
        assert "nothing follows for this one." in text
    assert re.search(r"^Partial fine-tuning +failed: stopped by an error, after 3 min 5 s$", failed.table_txt, re.M)
    assert f"Reason: {' '.join(REASON.split())}. The comparison is of" in failed.table_txt


def test_a_reason_is_only_text(failed):
    assert "script" not in {tag for tag, _ in Tags(failed.report_html).found}
    assert not any("onerror" in attributes for _, attributes in Tags(failed.report_html).found)
    for text in (failed.summary_md, failed.model_card_md):
        assert "<script" not in text
        assert "a\\|b\\*c\\*.h5" in text
        assert "](http" not in text.replace("\\](http", "")


def test_control_characters_of_a_reason_do_not_reach_the_terminal():
    findings = lost("custom_cnn")
    findings["failed"]["custom_cnn"] = FAILED | {"reason": "a\r\n\x1b[2Jb\u202e"}
    assert "Reason: a \\x1b[2Jb\\u202e. The" in failures.warnings(findings)[0]


def test_nothing_is_claimed_of_all_regimes(failed):
    for name in ("report_html", "summary_md", "model_card_md", "table_txt"):
        text = text_of(getattr(failed, name)).replace("&#39;", "'")
        for allowed in ALLOWED:
            text = text.replace(allowed, "")
        found = [text[max(0, hit.start() - 60) : hit.end() + 60] for hit in TOO_MUCH.finditer(text)]
        assert not found, name


def test_no_plot_is_described_with_more_regimes_than_it_has(failed):
    described = [attributes["alt"] for tag, attributes in Tags(failed.report_html).found if tag == "img"]
    assert not any("Partial fine-tuning" in text for text in described)
    assert any(text.startswith("Cost of each compared regime") for text in described)


def test_limits_and_description_of_the_models_name_it(failed):
    words = text_of(failed.report_html)
    assert "3 networks that give the probability" in words
    assert "Failed in training: Partial fine-tuning." in words
    assert "nothing is known of its quality and cost (see the warning on top): Partial fine-tuning." in words


def test_the_checklist_says_where_failures_are(failed):
    (row,) = (line for line in failed.report_html.split("<tr>") if "Missing data" in line)
    assert "first screen and failed, where a training failed" in row


def test_the_csv_file_has_a_row_for_what_was_evaluated_alone(failed):
    table = pd.read_csv(failed.folder / "results.csv")
    assert list(table["regime"]) == ["custom_cnn", "transfer_learning", "full_fine_tuning", FLOOR]
    assert table["parameters"].dtype == int


def test_a_comparison_without_a_failure_says_nothing_of_it(write):
    page, markdown = render(write, write.evaluations(["custom_cnn", "full_fine_tuning"]))
    page = page[page.index("</style>") : page.index('id="checklist"')]
    assert "colspan" not in page
    assert not re.search(r"\bfailed\b|compared regime", text_of(page + markdown), re.IGNORECASE)


def test_two_failures_are_two_warnings_with_one_conclusion():
    first, second = failures.warnings(lost("custom_cnn", "full_fine_tuning"))
    assert first == "Custom CNN failed: out of memory, after 3 min 5 s. Reason: use a smaller --batch-size."
    assert second == (
        "Full fine-tuning failed: out of memory, after 3 min 5 s. Reason: use a smaller --batch-size. The comparison "
        "is of the other two regimes; nothing follows for these two."
    )


def test_the_last_regime_is_not_compared_with_any():
    findings = lost(*REGIMES[:3])
    assert failures.warnings(findings)[-1].endswith(
        "The results are of the other regime alone; nothing follows for these three."
    )
    assert why(findings).startswith(
        "Custom CNN, Transfer learning and Partial fine-tuning failed, so there is nothing to compare: Full "
        "fine-tuning reached a ROC AUC of 0.930"
    )
    with_baseline = why(lost(*REGIMES[:3], more={FLOOR: 0.8}, seconds=(40, 1)))
    assert "Partial fine-tuning failed. Full fine-tuning had a ROC AUC of 0.930" in with_baseline
    assert "highest" not in with_baseline


@pytest.mark.parametrize(
    ("findings", "answer"),
    [
        (
            lost("custom_cnn"),
            "Custom CNN failed. Of the other three regimes, Full fine-tuning had the highest ROC AUC, 0.930 (95%",
        ),
        (
            lost("full_fine_tuning", width=0.03),
            "Of the other three regimes, Partial fine-tuning had the highest ROC AUC, 0.920 (95% interval "
            "0.910–0.930), after 30.0 s of training, but no compared regime, not even this one, was shown",
        ),
        (
            make_findings({"custom_cnn": 0.925, "partial_fine_tuning": 0.93})
            | {"failed": {"transfer_learning": FAILED}},
            "Transfer learning failed. Of the other two regimes, Custom CNN is worth its cost: ROC AUC 0.925",
        ),
        (
            make_findings({"custom_cnn": 0.925, "partial_fine_tuning": 0.93})
            | {"failed": {"transfer_learning": FAILED}},
            "Partial fine-tuning had the highest ROC AUC of these regimes, 0.930, after 20.0 s",
        ),
        (
            make_findings({"custom_cnn": 0.925, "partial_fine_tuning": 0.93, FLOOR: 0.929}, seconds=(9, 9, 1))
            | {"failed": {"transfer_learning": FAILED}},
            "Of the other two regimes and the baseline, the baseline is enough",
        ),
        (
            make_findings({"custom_cnn": 0.925, "partial_fine_tuning": 0.93}, seeds=1)
            | {"failed": {"transfer_learning": FAILED}},
            "Of the other two regimes, this custom CNN is worth its cost",
        ),
        (lost("custom_cnn", more={FLOOR: 0.8}), "Every compared regime had a higher ROC AUC than the baseline"),
        (lost("custom_cnn", more={FLOOR: 0.8}, seeds=1), "Every compared network had a higher ROC AUC than the"),
        (lost("custom_cnn"), "and against all compared others with less"),
    ],
)
def test_the_answer_is_about_those_that_are_left(findings, answer):
    assert answer in why(findings)
    assert not TOO_MUCH.search(why(findings))


def test_the_picks_are_of_those_that_are_left():
    findings = lost("custom_cnn")
    found = dict(picks(findings | {"recommendation": decide(findings)}))
    assert list(found) == ["Highest ROC AUC of these", "Fastest within 0.01 of these", "Smallest within 0.01 of these"]


def test_two_runs_name_what_failed_in_either(make_run, tmp_path):
    a, b = make_run("a", failed=["transfer_learning"]), make_run("<i>b</i>")
    record = compare_runs(a, b, tmp_path / "out")
    assert record["runs"][0]["failed"]["transfer_learning"]["cause"] == "out of memory"
    page, markdown, text = (
        (tmp_path / "out" / name).read_text() for name in ("report.html", "summary.md", "table.txt")
    )
    reason = (
        "In a: Transfer learning failed: out of memory, after 3 min 5 s. Reason: {} of transfer_learning. It is not"
    )
    assert reason.format("<b>no</b> *weights*") in text
    assert reason.format("&lt;b&gt;no&lt;/b&gt; *weights*") in page
    assert reason.format("&lt;b&gt;no&lt;/b&gt; \\*weights\\*").replace("transfer_", "transfer\\_") in markdown
    assert not TOO_MUCH.search(text_of(page))
    whole = compare_runs(make_run("c"), make_run("d"), tmp_path / "whole")
    assert failures.warnings_of_runs(whole) == []
    assert "Each regime in both runs" in (tmp_path / "whole" / "report.html").read_text()
