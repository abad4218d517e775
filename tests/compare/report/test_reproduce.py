"""The command that repeats a run."""

import shlex

import pytest

from components import options
from components.artifacts import files
from components.compare import inputs, results
from components.compare.report import reproduce
from components.parameters import PIPELINE
from pipelines.local import command as local

TIMES = {"started": "2026-01-31T12:00:00Z", "finished": "2026-01-31T12:01:00Z"}


@pytest.fixture
def command(write):
    """Writes the command for evaluations of two regimes, after changes to the summary."""

    def written(seeds=(1,), found=None, **changes):
        folders = [write.evaluation(name, seed=seed) for name in ("custom_cnn", "full_fine_tuning") for seed in seeds]
        summary = write.summary()
        info = files.read_json(summary / "dataset.json", "prepared dataset") | changes
        files.write_json(summary / "dataset.json", info)
        given = inputs.load(folders, summary)
        made_by = {"made_by": {"arguments": {"gpu_hour_price": 2.5, "cpu_hour_price": 0.0, "label_price": 20.0}}}
        return reproduce.command(given, made_by | results.build(given, "") | (found or {}))

    return written


def ingested(**arguments):
    return {"ingest": {"arguments": {"seed": 3} | arguments}}


def test_the_local_runner_understands_the_command(command):
    words = shlex.split(command(seeds=(5, 6), **ingested(source="directory", path="/data/chest x-rays")))
    assert words[:3] == ["python", "-m", "pipelines.local"]
    arguments = local._parser().parse_args(words[3:])
    assert (arguments.source, arguments.path, arguments.data_seed) == ("directory", "/data/chest x-rays", 3)
    assert (arguments.seeds, arguments.seed, arguments.image_size) == (2, 5, 96)
    assert (arguments.gpu_hour_price, arguments.regimes) == (2.5, ["custom_cnn", "full_fine_tuning"])


def test_settings_of_the_simulation_are_given_for_simulated_images_only(command):
    simulated = ingested(source="synthetic", path="", synthetic_images=50, synthetic_difficulty=0.25)
    assert "--synthetic-images 50 --synthetic-difficulty 0.25" in command(**simulated)
    assert "synthetic-images" not in command(**ingested(source="directory", path="/x", synthetic_images=50))


@pytest.mark.parametrize(
    "arguments",
    [
        {"source": "synthetic", "path": "", "synthetic_images": 50, "pneumoniamnist_size": 128},
        {"source": "pneumoniamnist", "path": "", "pneumoniamnist_size": 64, "synthetic_images": 50},
        {"source": "pneumoniamnist", "path": "x.npz", "pneumoniamnist_size": 64, "sha256": ""},
        {"source": "kaggle", "path": "a/b", "synthetic_size": 64, "sha256": ""},
        {"source": "https://example.org/x.zip", "path": "", "sha256": "0" * 64, "synthetic_size": 64},
    ],
)
def test_the_command_has_no_option_without_effect(command, arguments):
    words = shlex.split(command(**ingested(**arguments)))[3:]
    parser = local._parser()
    values = vars(parser.parse_args(words))
    options.check(
        {name: values[name] for name in PIPELINE}, options.given(parser, words) & PIPELINE.keys(), options.option
    )


def test_switches_stand_alone_and_only_where_they_were_set(command):
    arguments = {"deduplicate": True, "resplit": False, "report_images": False}
    found = command(**ingested(source="directory", path="/x"), made_by={"arguments": arguments} | TIMES)
    assert "--deduplicate --" in found
    assert "--no-report-images" in found
    assert "resplit" not in found


def test_without_the_record_of_ingest_there_is_no_command(command):
    assert command(ingest=None) == ""


def test_seeds_that_the_local_runner_cannot_count_up_have_no_command(command):
    assert command(seeds=(1, 7)) == ""
    assert "--seeds 2 --seed 7" in command(seeds=(7, 8))


def test_label_budgets_are_repeated_with_their_draws_and_price(command):
    costs = [{"patients": patients} for patients in (50, 100, 2490, 4980)]
    found = {"label_budgets": {"patients": 2490, "draws": 3, "costs": costs}}
    words = command(found=found, **ingested(source="directory", path="/x"))
    assert "--label-price 20 --label-budgets 50 100 --draws 3" in words
    assert "label" not in command(**ingested(source="directory", path="/x"))
    none = {"label_budgets": {"patients": None, "draws": 0, "costs": costs[2:]}}
    assert "label" not in command(found=none, **ingested(source="directory", path="/x"))


def test_a_regime_that_failed_is_part_of_what_is_repeated(write):
    summary = write.summary()
    info = files.read_json(summary / "dataset.json", "prepared dataset")
    files.write_json(summary / "dataset.json", info | ingested(source="directory", path="/x"))
    folders = [write.evaluation("custom_cnn"), write.failure("transfer_learning"), write.evaluation("full_fine_tuning")]
    given = inputs.load(folders, summary)
    made_by = {"made_by": {"arguments": {}}}
    command = reproduce.command(given, made_by | results.build(given, ""))
    assert command.endswith("--regimes custom_cnn transfer_learning full_fine_tuning")
