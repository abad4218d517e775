"""Two whole runs against each other."""

from components.compare.between_runs import compare_runs
from components.compare.stats import comparisons


def test_runs_on_different_images_are_not_paired_and_the_report_says_so(make_run, write, tmp_path, capsys):
    a, b = make_run("a"), make_run("b", index=write.index(images=260, patients=180))
    found = compare_runs(a, b, tmp_path / "out")
    assert not found["paired"]
    assert {pair["test"] for pair in found["comparisons"]} == {comparisons.UNPAIRED}
    assert "nothing is paired" in capsys.readouterr().out
    for name in ("report.html", "summary.md", "table.txt"):
        assert "no predictions are paired" in (tmp_path / "out" / name).read_text(encoding="utf-8")
