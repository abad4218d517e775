"""Two runs in words and tables."""

import numpy as np

from components.compare.between_runs import compare_runs
from components.compare.report import runs_summary


def test_only_settings_that_differ_are_listed(make_run, tmp_path):
    found = compare_runs(make_run("a"), make_run("b", image_size=128, gpu="A GPU"), tmp_path / "out")
    differing = {row["what"]: (row["a"], row["b"]) for row in found["differing"]}
    assert differing["image size"] == ("96 px", "128 px")
    assert differing["hardware"][1].endswith("GPU A GPU")
    assert "backbone" not in differing
    summary = (tmp_path / "out" / "summary.md").read_text(encoding="utf-8")
    assert "- image size: 96 px against 128 px" in summary


def test_the_winner_is_named_and_regimes_without_a_difference_are_not_called_equal(make_run, write, tmp_path):
    index = write.index()
    noise = np.random.default_rng(0).random(len(index))
    found = compare_runs(
        make_run("good", ["custom_cnn"]), make_run("bad", ["custom_cnn"], scores=noise), tmp_path / "o"
    )
    assert runs_summary.sentences(found)[0].startswith("ROC AUC is higher in good for Custom CNN (+0.")
    found = compare_runs(make_run("c", ["custom_cnn"]), make_run("d", ["custom_cnn"]), tmp_path / "o")
    assert "does not prove the runs equal" in runs_summary.sentences(found)[0]
    assert found["comparisons"][0]["difference"] == 0


def test_a_hostile_name_of_a_run_stays_text(make_run, tmp_path):
    hostile = "<img src=x onerror=alert(1)>"
    compare_runs(make_run(hostile), make_run("b"), tmp_path / "out")
    for name in ("report.html", "summary.md"):
        assert "<img src=x" not in (tmp_path / "out" / name).read_text(encoding="utf-8")
