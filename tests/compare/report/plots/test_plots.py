"""Which plots are drawn."""

import pytest
from matplotlib import pyplot
from matplotlib.backends.backend_agg import FigureCanvasAgg

from components.artifacts import files
from components.artifacts.evaluation import Evaluation
from components.artifacts.names import FLOOR, REGIMES
from components.compare import inputs
from components.compare.compare import compare
from components.compare.report import plots
from components.compare.report.plots import style
from tests.compare.conftest import PLOTS


def test_drawing_leaves_matplotlib_as_it_was(compared):
    assert compared.settings_after == compared.settings_before
    assert pyplot.get_fignums() == []


@pytest.mark.medium
def test_one_flawless_regime_with_two_seeds_and_no_robustness_can_be_drawn(write, tmp_path):
    index = write.index(images=40, patients=40)
    folders = [write.evaluation("full_fine_tuning", seed=seed, index=index, scores=index["label"]) for seed in (0, 1)]
    for folder in folders:
        changed = Evaluation.load(folder).results | {"robustness": {}}
        files.write_json(folder / "evaluation.json", changed)
    compare(folders, write.summary(), tmp_path / "out")
    assert not (tmp_path / "out" / "robustness.png").exists()
    assert "robustness" not in (tmp_path / "out" / "report.html").read_text()


@pytest.mark.medium
def test_one_regime_alone_has_neither_differences_nor_fronts_nor_subgroups_nor_a_baseline(write, tmp_path):
    index = write.index(images=60, patients=60).assign(subtype="", patient_seen=0)
    compare([write.evaluation("custom_cnn", index=index)], write.summary(), tmp_path / "out")
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    for absent in ("<h3>Differences between", "<h3>Subgroups", "<h3>Comparison with the baseline", 'class="apart"'):
        assert absent not in page
    assert {path.stem for path in (tmp_path / "out").glob("*.png")} == PLOTS - {"differences", "pareto", "subgroups"}


@pytest.mark.parametrize("name", sorted(PLOTS))
def test_all_text_is_within_the_picture(compared, name):
    base = compared.folder.parent
    with style.applied():
        if name in plots.FROM_FINDINGS:
            figure = plots.FROM_FINDINGS[name](compared.results).figure
        else:
            given = inputs.load([base / regime for regime in (*REGIMES, FLOOR)], base / "summary")
            figure = plots.FROM_INPUTS[name](compared.results, given).figure
        FigureCanvasAgg(figure).draw()
    box, size = figure.get_tightbbox(), figure.get_size_inches()
    assert box.x0 >= -0.01
    assert box.y0 >= -0.01
    assert box.x1 <= size[0] + 0.01
    assert box.y1 <= size[1] + 0.01
