"""The graph: its tasks and their inputs, the parameters, and what may come from the cache."""

import pytest
import yaml

from compile import main
from components.artifacts.names import REGIMES
from pipelines.compiling import compile_all
from pipelines.settings import Settings
from tests.pipelines.compiled import of_step, read


def test_the_graph_is_flat(tasks):
    """On a backend, a loop doubles the nodes of the workflow, whose status must stay small."""
    assert {task["taskInfo"]["name"]: sorted(task.get("dependentTasks", [])) for task in tasks.values()} == {
        "Ingest": [],
        "Preprocess": ["ingest"],
        "Train: Custom CNN": ["preprocess"],
        "Train: Transfer learning": ["preprocess"],
        "Train: Partial fine-tuning": ["preprocess"],
        "Train: Full fine-tuning": ["preprocess"],
        "Evaluate": ["preprocess", "train", "train-2", "train-3", "train-4"],
        "Compare": ["evaluate", "preprocess"],
        "Check": ["compare"],
    }
    assert not any("parameterIterator" in task or "artifactIterator" in task for task in tasks.values())


def test_each_regime_is_a_train_task_for_all_seeds(tasks):
    trains = of_step(tasks, "Train")
    inputs = [task["inputs"]["parameters"] for task in trains.values()]
    assert [one["regime"]["runtimeValue"]["constant"] for one in inputs] == list(REGIMES)
    for name in ("seed", "seeds"):
        assert {one[name]["componentInputParameter"] for one in inputs} == {name}


def test_compare_takes_evaluations_and_the_summary_and_neither_images_nor_models(pipeline):
    inputs = pipeline["root"]["dag"]["tasks"]["compare"]["inputs"]["artifacts"]
    assert set(inputs) == {"evaluations", "dataset_summary"}
    assert inputs["evaluations"]["taskOutputArtifact"]["outputArtifactKey"] == "evaluation"


def test_evaluate_takes_the_models_of_each_regime_under_its_name(tasks, tmp_path):
    def given(tasks):
        artifacts = tasks["evaluate"]["inputs"]["artifacts"]
        return {name: artifacts[name]["taskOutputArtifact"]["producerTask"] for name in REGIMES if name in artifacts}

    assert list(given(tasks).values()) == ["train", "train-2", "train-3", "train-4"]
    made = compile_all(Settings(regimes=("full_fine_tuning", "custom_cnn"), gpus=0), tmp_path)
    two = read(made[0])["root"]["dag"]["tasks"]
    for name, task in given(two).items():
        assert two[task]["inputs"]["parameters"]["regime"]["runtimeValue"]["constant"] == name
    assert len(given(two)) == 2


def test_check_takes_the_comparison_alone_and_gives_nothing(pipeline, tasks):
    """It is as small as a task can be, since the workflow's status must stay small."""
    assert tasks["check"]["inputs"] == {
        "artifacts": {
            "comparison": {"taskOutputArtifact": {"outputArtifactKey": "comparison", "producerTask": "compare"}}
        }
    }
    assert "outputDefinitions" not in pipeline["components"]["comp-check"]


def test_trainings_keep_no_checkpoints_unless_told_where(pipeline, tmp_path):
    def given(pipeline):
        trains = of_step(pipeline["root"]["dag"]["tasks"], "Train").values()
        return {train["inputs"]["parameters"]["checkpoints"]["runtimeValue"]["constant"] for train in trains}

    assert given(pipeline) == {""}
    main(["--checkpoint-claim", "kept", "--output", str(tmp_path)])
    assert given(read(tmp_path / "pneumonia_benchmark.yaml")) == {"/checkpoints"}
    main(["--checkpoints", "gs://bucket/kept", "--output", str(tmp_path)])
    assert given(read(tmp_path / "pneumonia_benchmark.yaml")) == {"gs://bucket/kept"}


def test_a_second_data_set_reaches_every_evaluation_and_no_training(tmp_path):
    main(["--external-test", "/data/elsewhere", "--output", str(tmp_path)])
    found = read(tmp_path / "pneumonia_benchmark.yaml")
    tasks = found["root"]["dag"]["tasks"]
    assert tasks["ingest-2"]["inputs"]["parameters"]["path"]["runtimeValue"]["constant"] == "/data/elsewhere"
    assert tasks["preprocess-2"]["dependentTasks"] == ["ingest-2"]
    assert "external_dataset" in tasks["evaluate"]["inputs"]["artifacts"]
    for task in of_step(tasks, "Train").values():
        assert set(task["inputs"]["artifacts"]) == {"prepared_dataset"}


@pytest.fixture(scope="module")
def with_budgets(tmp_path_factory):
    """The pipeline with label budgets and all else that its tasks take."""
    folder = tmp_path_factory.mktemp("budgets")
    words = ["--label-budgets", "30", "60", "--draws", "2", "--external-test", "/data/elsewhere", "--cache-training"]
    main([*words, "--checkpoint-claim", "kept", "--output", str(folder)])
    return list(yaml.safe_load_all((folder / "pneumonia_benchmark.yaml").read_text()))


def test_label_budgets_of_all_regimes_are_one_task_whose_result_compare_takes(with_budgets):
    tasks = with_budgets[0]["root"]["dag"]["tasks"]
    ((name, task),) = of_step(tasks, "Label budgets").items()
    assert task["dependentTasks"] == ["preprocess", "preprocess-2"]
    assert set(task["inputs"]["artifacts"]) == {"prepared_dataset", "external_dataset"}
    assert task["cachingOptions"] == {"enableCache": True}
    assert tasks["compare"]["inputs"]["artifacts"]["label_budgets"]["taskOutputArtifact"] == {
        "outputArtifactKey": "label_budgets",
        "producerTask": name,
    }
    given = task["inputs"]["parameters"]
    assert given["regimes"] == {"runtimeValue": {"constant": " ".join(REGIMES)}}
    assert given["budgets"] == {"componentInputParameter": "label_budgets"}
    assert given["usual"] == {"runtimeValue": {"constant": "30 60"}}
    assert given["checkpoints"] == {"runtimeValue": {"constant": "/checkpoints"}}
    assert "seeds" not in given
    assert name in tasks["compare"]["dependentTasks"]


def test_label_budgets_are_parameters_whose_defaults_were_compiled(with_budgets):
    parameters = with_budgets[0]["root"]["inputDefinitions"]["parameters"]
    assert parameters["label_budgets"]["defaultValue"] == "30 60"
    assert "empty for 30 60" in parameters["label_budgets"]["description"]
    assert parameters["draws"]["defaultValue"] == 2


def test_the_task_of_label_budgets_asks_for_what_train_asks_for(with_budgets):
    pipeline, platform = with_budgets
    executors = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    assert executors["exec-train-budgets"] == executors["exec-train"]
    containers = [
        pipeline["deploymentSpec"]["executors"][name]["container"] for name in ("exec-train", "exec-train-budgets")
    ]
    assert containers[0]["resources"] == containers[1]["resources"]
    assert containers[0]["resources"]["accelerator"]["resourceCount"] == "1"
    assert containers[0]["image"] == containers[1]["image"]


def test_data_steps_may_come_from_the_cache_and_measured_ones_never(tasks):
    assert tasks["preprocess"]["cachingOptions"] == {"enableCache": True}
    # What a source holds may change without its name.
    assert tasks["ingest"]["cachingOptions"] == {}
    measured = of_step(tasks, "Train") | of_step(tasks, "Evaluate") | of_step(tasks, "C")
    assert len(measured) == 7
    assert not of_step(tasks, "Label budgets")
    assert all(task["cachingOptions"] == {} for task in measured.values())


def test_the_pipelines_parameters_have_these_names_and_types(pipeline):
    parameters = pipeline["root"]["inputDefinitions"]["parameters"]
    assert {name: value["parameterType"] for name, value in parameters.items()} == {
        "source": "STRING",
        "path": "STRING",
        "sha256": "STRING",
        "pneumoniamnist_size": "NUMBER_INTEGER",
        "synthetic_images": "NUMBER_INTEGER",
        "synthetic_size": "NUMBER_INTEGER",
        "synthetic_difficulty": "NUMBER_DOUBLE",
        "data_seed": "NUMBER_INTEGER",
        "image_size": "NUMBER_INTEGER",
        "backbone": "STRING",
        "weights": "STRING",
        "epochs": "NUMBER_INTEGER",
        "batch_size": "NUMBER_INTEGER",
        "learning_rate": "NUMBER_DOUBLE",
        "trainable_layers": "NUMBER_INTEGER",
        "tune_learning_rate": "STRING",
        "tune_trainable_layers": "STRING",
        "patience": "NUMBER_INTEGER",
        "target_sensitivity": "NUMBER_DOUBLE",
        "gpu_hour_price": "NUMBER_DOUBLE",
        "cpu_hour_price": "NUMBER_DOUBLE",
        "prevalence": "NUMBER_DOUBLE",
        "harm_ratio": "NUMBER_DOUBLE",
        "label_price": "NUMBER_DOUBLE",
        "max_bad_fraction": "NUMBER_DOUBLE",
        "deduplicate": "BOOLEAN",
        "resplit": "BOOLEAN",
        "report_images": "BOOLEAN",
        "deterministic": "BOOLEAN",
        "seed": "NUMBER_INTEGER",
        "seeds": "NUMBER_INTEGER",
        "label_budgets": "STRING",
        "draws": "NUMBER_INTEGER",
    }
    assert parameters["seeds"]["defaultValue"] == 3
    assert (parameters["label_budgets"]["defaultValue"], parameters["draws"]["defaultValue"]) == ("", 5)
    assert all(value["description"] for value in parameters.values())


def test_caches_are_switched_by_option(tmp_path):
    main(["--cache-ingest", "--cache-training", "--output", str(tmp_path)])
    tasks = read(tmp_path / "pneumonia_benchmark.yaml")["root"]["dag"]["tasks"]
    assert tasks["ingest"]["cachingOptions"] == {"enableCache": True}
    assert all(task["cachingOptions"] == {"enableCache": True} for task in of_step(tasks, "Train").values())
    # The speed of inference is measured in every run.
    assert all(task["cachingOptions"] == {} for task in of_step(tasks, "Evaluate").values())


def test_a_run_is_recorded_only_where_a_history_is_given_and_nothing_depends_on_that(tasks, tmp_path):
    assert "record" not in tasks
    main(["--tracking-uri", "https://host", "--data-image", "d:1", "--train-image", "t:1", "--output", str(tmp_path)])
    found = read(tmp_path / "pneumonia_benchmark.yaml")["root"]["dag"]["tasks"]
    recorded = found["record"]
    assert recorded["dependentTasks"] == ["compare"]
    assert set(recorded["inputs"]["artifacts"]) == {"comparison"}
    values = {name: value["runtimeValue"]["constant"] for name, value in recorded["inputs"]["parameters"].items()}
    assert values == {
        "tracking_uri": "https://host",
        "register": "",
        "identity": "{{$.pipeline_job_uuid}}",
        "data_image": "d:1",
        "train_image": "t:1",
        "on_regression": "warn",
        "runs_per_year": 52.0,
        "confirm_regressions": False,
    }
    assert recorded["cachingOptions"] == {}
    assert not any("record" in task.get("dependentTasks", []) for task in found.values())


def test_models_are_recorded_only_for_the_registry(tmp_path):
    main(["--tracking-uri", "https://host", "--register", "pneumonia", "--output", str(tmp_path)])
    recorded = read(tmp_path / "pneumonia_benchmark.yaml")["root"]["dag"]["tasks"]["record"]
    given = recorded["inputs"]["artifacts"]
    assert set(given) == {"comparison", *REGIMES}
    for number, regime in enumerate(REGIMES, start=1):
        source = given[regime]["taskOutputArtifact"]
        assert source == {"outputArtifactKey": "model", "producerTask": f"train{'' if number == 1 else f'-{number}'}"}
