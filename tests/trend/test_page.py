import re
import time

import pytest

from components.gate.verdict import DATA, MEMORY, QUALITY, TIME, Alarm, Verdict
from components.trend.page import page
from tests.trend.runs import answer, plots, shown, text, tree, year

SLOW = Alarm(TIME, "full_fine_tuning", "Full fine-tuning: 31% more training time than expected")
WORSE = Alarm(QUALITY, "custom_cnn", "Custom CNN: ROC AUC 0.900, the champion's 0.930")
LARGE = Alarm(MEMORY, "custom_cnn", "Custom CNN: 40% more memory")
DRIFT = Alarm(DATA, "", "brightness of the images that were added: mean 0.700, of the others 0.500")
HOSTILE = '<script>alert(1)</script> & "quotes" </title></svg> \x1b[31m\nline'


def test_the_first_sentence_is_the_verdict_on_the_last_run():
    assert answer(page(year(week4=[SLOW], week6=[WORSE]))) == "No alarm in the last run; 2 in 10 runs."
    assert answer(page(year())) == "No alarm in the last run; none in 10 runs."
    last = page(year(week4=[SLOW], week9=[WORSE, SLOW]))
    assert answer(last) == (
        "2 alarms in the last run: ROC AUC of Custom CNN, training time of Full fine-tuning; 3 in 10 runs."
    )


@pytest.mark.parametrize(
    ("runs", "sentence"),
    [
        ([], "No run is recorded yet."),
        ([shown(0)], "The first run: there is nothing to compare it with yet."),
        ([shown(0, verdict=None), shown(1, verdict=None)], "The last run was recorded without a verdict."),
        (
            [shown(0), shown(1, verdict=Verdict(alarms=(SLOW,))), shown(2, verdict=None)],
            "The last run was recorded without a verdict; 1 alarm in 3 runs.",
        ),
        (
            [shown(0), shown(1), shown(2, verdict=None)],
            "The last run was recorded without a verdict; no alarm in 3 runs.",
        ),
        (
            [shown(0), shown(1, verdict=Verdict(alarms=(SLOW,), suspected=True))],
            "1 alarm in the last run, not confirmed yet: training time of Full fine-tuning; 1 in 2 runs.",
        ),
        (
            [shown(0), shown(1, source="other", verdict=Verdict(alarms=(DRIFT,)))],
            "1 alarm in the last run of each of 2 sources: data; 1 in 2 runs.",
        ),
    ],
)
def test_the_first_sentence_of_other_histories(runs, sentence):
    assert answer(page(runs)) == sentence


def test_every_alarm_is_in_the_list_and_at_its_plot_with_its_reason():
    html = page(year(week3=[WORSE], week5=[SLOW, LARGE], week6=[DRIFT]))
    found = tree(html)
    items = {element.get("id"): text(element) for element in found.iter("li") if "value" in element.attrib}
    assert list(items) == ["alarm-4", "alarm-3", "alarm-2", "alarm-1"]
    drawn = plots(found)
    for number, alarm, names in (
        (1, WORSE, ["Custom CNN 1"]),
        (2, SLOW, ["Full fine-tuning 2"]),
        (3, LARGE, ["Custom CNN 3"]),
        (4, DRIFT, ["Images 1", "Pneumonia, % of images 1"]),
    ):
        assert alarm.reason in items[f"alarm-{number}"]
        at = {name: svg.findall(f"a[@href='#alarm-{number}']") for name, svg in drawn.items()}
        assert [name for name, links in at.items() if links] == names
        for name in names:
            (link,) = at[name]
            assert alarm.reason in text(link.find("title"))
            assert text(link.find("text")) == str(number)
            assert f"alarms: {number}" in drawn[name].get("aria-label")
    assert sum("no alarm" in svg.get("aria-label") for svg in drawn.values()) == len(drawn) - 5


def test_alarms_in_runs_that_follow_each_other_are_one_with_all_reasons():
    reasons = [Alarm(TIME, "custom_cnn", f"reason {number}") for number in range(4)]
    html = page(year(week3=[reasons[0]], week4=[reasons[1]], week5=[reasons[2]], week8=[reasons[3]]))
    found = tree(html)
    items = {element.get("id"): text(element) for element in found.iter("li") if "value" in element.attrib}
    assert list(items) == ["alarm-2", "alarm-1"]
    assert "26 Jan 2026 to 9 Feb 2026, 3 runs" in items["alarm-1"]
    assert re.findall(r"reason \d", items["alarm-1"]) == ["reason 2", "reason 1", "reason 0"]
    svg = plots(found)["Custom CNN 2"]
    assert len(svg.findall("a/circle")) == 4
    assert [text(flag) for flag in svg.findall("a/text")] == ["1", "2"]
    assert answer(html).endswith("; 2 in 10 runs.")


def test_an_alarm_that_waits_for_confirmation_is_marked():
    runs = [shown(0), shown(1, verdict=Verdict("id0", "x", (SLOW,), suspected=True))]
    found = tree(page(runs))
    (ring,) = plots(found)["Full fine-tuning 2"].findall("a/circle")
    assert "stroke-dasharray" in ring.attrib
    assert "Not confirmed yet: Full fine-tuning: 31% more" in text(found)
    (plain,) = plots(tree(page([shown(0), shown(1, verdict=Verdict(alarms=(SLOW,)))])))["Full fine-tuning 2"].findall(
        "a/circle"
    )
    assert "stroke-dasharray" not in plain.attrib


def test_the_last_runs_warnings_and_notes_are_said():
    verdict = Verdict("id0", "the champion", warnings=("not shown",), notes=("the data changed",))
    found = text(tree(page([shown(0), shown(1, verdict=verdict)])))
    assert "compared with the champion the champion." in found
    assert "not shown" in found
    assert "the data changed" in found


def test_names_from_elsewhere_are_escaped_wherever_they_are():
    verdict = Verdict(
        "id0", HOSTILE, (Alarm(QUALITY, "custom_cnn", HOSTILE), Alarm(DATA, "", HOSTILE)), (HOSTILE,), (HOSTILE,)
    )
    runs = [
        shown(0, name=HOSTILE, source=HOSTILE, promoted=True, fingerprint="<b>bold</b>"),
        shown(1, name=HOSTILE, source=HOSTILE, verdict=verdict, failed={"full_fine_tuning": HOSTILE}),
    ]
    html = page(runs)
    found = tree(html)
    assert not [element.tag for element in found.iter() if element.tag in ("script", "b")]
    assert len(list(found.iter("svg"))) == len(plots(found)) + 6
    assert "\x1b" not in html
    assert text(found).count("<script>alert(1)</script>") > 10


def test_the_page_needs_nothing_from_elsewhere():
    html = page(year(week3=[WORSE]))
    found = tree(html)
    assert "://" not in html
    assert "url(" not in html
    assert "@import" not in html
    ids = {element.get("id") for element in found.iter()}
    for element in found.iter():
        assert element.tag not in ("script", "link", "iframe", "img", "object")
        assert "src" not in element.attrib
        assert element.get("href", "#").removeprefix("#") in ids | {""}
        assert not [name for name in element.attrib if name.startswith("on")]


def test_every_plot_has_an_alternative_text_with_its_numbers():
    drawn = plots(tree(page(year())))
    assert len(drawn) == 14
    assert drawn["Custom CNN 1"].get("aria-label") == (
        "ROC AUC of Custom CNN: 10 values from 0.93 to 0.93, the newest 0.930; no alarm"
    )
    assert drawn["Full fine-tuning 2"].get("aria-label") == (
        "Training time per image and epoch of Full fine-tuning: 10 values from 12.1 to 12.1, the newest 12.1 ms; "
        "no alarm"
    )
    assert "900 MB" in drawn["Full fine-tuning 3"].get("aria-label")
    assert "the newest 3,000" in drawn["Images 1"].get("aria-label")
    assert "the newest 60.0%" in drawn["Pneumonia, % of images 1"].get("aria-label")


def test_a_history_of_500_runs_is_written_quickly_and_with_few_labels():
    alarms = {week: Verdict("id0", "x", (SLOW, WORSE)) for week in range(7, 500, 9)}
    runs = [shown(week, verdict=alarms.get(week, Verdict("id0", "x"))) for week in range(500)]
    started = time.monotonic()
    html = page(runs)
    assert time.monotonic() - started < 5
    assert len(html) < 2_000_000
    found = tree(html)
    for svg in plots(found).values():
        texts = [text(element) for element in svg.iter("text")]
        assert len([label for label in texts if re.fullmatch(r"\d{4}-\d\d-\d\d", label)]) == 3
    flags = plots(found)["Custom CNN 1"].findall("a/text")
    assert 3 < len(flags) < 20
    assert len(plots(found)["Custom CNN 1"].findall("a/circle")) == len(alarms)
    assert f"alarm-{2 * len(alarms)}" in {element.get("id") for element in found.iter("li")}


def test_the_table_has_every_run_with_its_data_and_alarms():
    runs = [
        shown(0, verdict=None),
        shown(1, verdict=Verdict(alarms=(SLOW,)), failed={"custom_cnn": "out of memory"}),
        shown(2, fingerprint="cd34" * 16, areas={"transfer_learning": 0.9126}),
    ]
    table = list(tree(page(runs)).iter("table"))[-1]
    rows = [[text(cell) for cell in row] for row in table.iter("tr")]
    titles = ["Custom CNN", "Transfer learning", "Partial fine-tuning", "Full fine-tuning"]
    assert rows == [
        ["Run", "Date", "Data", *titles, "Alarms"],
        ["20260119-030000", "2026-01-19", "B", "0.930", "0.913", "0.972", "0.981", "none"],
        ["20260112-030000", "2026-01-12", "A", "failed", "0.955", "0.972", "0.981", "1"],
        ["20260105-030000", "2026-01-05", "A", "0.930", "0.955", "0.972", "0.981", "no verdict"],
    ]


def test_sources_have_sections_the_one_with_the_newest_run_first():
    runs = [shown(0, source="the folder old"), shown(1, source="the folder new"), shown(2, source="the folder old")]
    titles = [text(element) for element in tree(page(runs)).iter("h2")]
    assert titles == ["The folder old · 96 px", "The folder new · 96 px", "Alarms", "Runs"]


def test_only_regimes_that_were_trained_have_plots():
    areas = dict.fromkeys(("transfer_learning", "partial_fine_tuning", "full_fine_tuning"))
    drawn = plots(tree(page([shown(0, areas=areas), shown(1, areas=areas)])))
    assert list(drawn) == ["Custom CNN 1", "Custom CNN 2", "Custom CNN 3", "Images 1", "Pneumonia, % of images 1"]


def test_long_names_are_broken_wherever_no_scroll_bar_holds_them():
    long = "n" * 300
    alarm = Alarm(QUALITY, "custom_cnn", long)
    verdict = Verdict("id0", long, (alarm,), (long,), (long,))
    runs = [
        shown(0, name=long, source=long, promoted=True, verdict=verdict),
        shown(1, name=long, source=long, recipe="other", verdict=verdict),
        shown(2, name=long, source="another"),
    ]
    found = tree(page(runs))
    rules = re.findall(r"([^{}]+)\{([^{}]*)\}", text(found.find(".//style")))
    breaking = {
        selector.split()[-1]
        for name, rule in rules
        if "overflow-wrap: anywhere" in rule
        for selector in name.split(",")
    }
    above = {child: parent for parent in found.iter() for child in parent}

    def held(element):
        classes = element.get("class", "").split()
        return "scroll" in classes or element.tag == "svg" or breaking & {element.tag, *(f".{one}" for one in classes)}

    named = [
        element
        for element in found.iter()
        if element.tag != "style" and long[1:] in (element.text or "") + "".join(child.tail or "" for child in element)
    ]
    assert len(named) > 20
    for element in named:
        around = [element]
        while around[-1] in above:
            around.append(above[around[-1]])
        assert any(map(held, around)), (element.tag, element.attrib)
