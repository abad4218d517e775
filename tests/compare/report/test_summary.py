"""The summary as Markdown."""


def test_the_summary_is_the_first_screen_as_markdown(compared):
    text = (compared.folder / "summary.md").read_text(encoding="utf-8")
    lines = text.splitlines()
    assert lines[0] == "# Which training is worth its cost – run-7"
    assert lines[4].startswith("**This full fine-tuning network had the highest ROC AUC")
    rows = [line for line in lines if line.startswith("|")]
    assert len(rows) == 7
    assert {row.count("|") for row in rows} == {13}
    assert "Not for clinical use." in lines
