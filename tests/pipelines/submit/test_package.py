"""A compiled pipeline's version, its parameters, its caching."""

import json

import pytest
import yaml

from components.console import UserError
from components.parameters import PIPELINE
from pipelines import benchmark
from pipelines.compiling import compile_all
from pipelines.settings import Settings
from pipelines.submit import package

PARAMETERS = {
    "epochs": {"parameterType": "NUMBER_INTEGER", "defaultValue": 20.0},
    "rate": {"parameterType": "NUMBER_DOUBLE", "defaultValue": 0.001},
    "weights": {"parameterType": "STRING", "defaultValue": "imagenet"},
    "quick": {"parameterType": "BOOLEAN", "isOptional": True},
    "seeds": {"parameterType": "LIST", "defaultValue": [1.0]},
    "options": {"parameterType": "STRUCT", "isOptional": True},
}


@pytest.fixture
def write(tmp_path):
    def write(parameters=PARAMETERS, name=package.NAME, text=""):
        spec = {
            "pipelineInfo": {"name": name},
            "root": {
                "dag": {"tasks": {"train": {"cachingOptions": {"enableCache": True}, "taskInfo": {"name": "Train"}}}},
                "inputDefinitions": {"parameters": parameters},
            },
            "components": {"comp-loop": {"dag": {"tasks": {"score": {"cachingOptions": {"enableCache": True}}}}}},
        }
        path = tmp_path / "pipeline.yaml"
        path.write_text(text + yaml.safe_dump(spec) + "---\nplatforms: {}\n")
        return path

    return write


@pytest.fixture
def pipeline(write):
    return package.load(write())


def test_its_name_is_the_compiled_pipelines():
    assert package.NAME == benchmark.NAME


def test_the_version_follows_from_what_the_yaml_says_and_not_from_comments_or_layout(write):
    first = package.load(write()).version
    assert first.startswith("pneumonia-benchmark-")
    assert package.load(write(text="# made by another machine\n\n")).version == first
    spec, platform = yaml.safe_load_all(write().read_text())
    other = write()
    other.write_text(yaml.safe_dump_all([dict(reversed(spec.items())), platform], sort_keys=False, indent=4))
    assert package.load(other).version == first
    changed = PARAMETERS | {"epochs": {"parameterType": "NUMBER_INTEGER", "defaultValue": 21.0}}
    assert package.load(write(changed)).version != first


def test_what_the_second_document_says_counts_for_the_version(write):
    path = write()
    first = package.load(path).version
    path.write_text(path.read_text().replace("platforms: {}", "platforms: {kubernetes: {}}"))
    assert package.load(path).version != first


def test_without_cache_no_task_in_any_part_is_cached_and_the_version_is_another(pipeline, tmp_path):
    uncached = package.without_cache(pipeline, tmp_path / "uncached.yaml")
    assert [task["cachingOptions"] for _, task in package._tasks(uncached.documents[0])] == [{}, {}]
    assert uncached.version != pipeline.version
    assert len(uncached.documents) == 2
    assert uncached.path.is_file()


def test_titles_are_those_that_the_graph_shows(pipeline):
    assert pipeline.titles == {"train": "Train", "score": "score"}


def test_words_take_the_type_that_the_pipeline_declares(pipeline):
    texts = {"epochs": "30", "rate": "2e-3", "weights": "30", "quick": "True", "seeds": "[1, 2]", "options": '{"a": 1}'}
    taken = package.check(pipeline, {}, texts)
    assert taken == {"epochs": 30, "rate": 0.002, "weights": "30", "quick": True, "seeds": [1, 2], "options": {"a": 1}}
    assert [type(value) for value in taken.values()] == [int, float, str, bool, list, dict]


def test_the_command_line_goes_before_the_file(pipeline):
    assert package.check(pipeline, {"epochs": 5, "rate": 1}, {"epochs": "7"}) == {"epochs": 7, "rate": 1}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("epochs", "1.5"),
        ("epochs", "ten"),
        ("epochs", ""),
        ("epochs", "true"),
        ("epochs", "[1]"),
        ("epochs", str(2**53 + 1)),
        ("rate", "nan"),
        ("rate", "inf"),
        ("rate", "fast"),
        ("quick", "1"),
        ("quick", "yes"),
        ("seeds", "1"),
        ("seeds", "1,2"),
        ("seeds", "[NaN]"),
        ("options", "[1]"),
    ],
)
def test_a_text_of_another_type_is_refused_with_its_parameter(pipeline, name, text):
    with pytest.raises(UserError, match=f"the parameter {name} is .*, but must be "):
        package.check(pipeline, {}, {name: text})


@pytest.mark.parametrize(
    ("name", "value"),
    [("epochs", "30"), ("epochs", 1.0), ("epochs", True), ("rate", "1"), ("rate", True), ("weights", 30),
     ("quick", 1), ("quick", "true"), ("seeds", "[1]"), ("options", None)],
)  # fmt: skip
def test_a_value_of_another_type_in_a_file_is_refused(pipeline, name, value):
    with pytest.raises(UserError, match=f"the parameter {name} is "):
        package.check(pipeline, {name: value}, {})


def test_an_unknown_parameter_is_refused_with_the_known_ones(pipeline):
    for values, texts in (({"epoch": 1}, {}), ({}, {"epoch": "1"})):
        with pytest.raises(UserError, match="no parameter 'epoch': it has epochs, options, quick, rate, seeds, weigh"):
            package.check(pipeline, values, texts)


def test_a_parameter_without_default_must_be_given(write):
    pipeline = package.load(write({"path": {"parameterType": "STRING"}}))
    with pytest.raises(UserError, match="needs values for path"):
        package.check(pipeline, {}, {})
    assert package.check(pipeline, {}, {"path": ""}) == {"path": ""}


def test_parameters_are_the_same_where_a_run_would_compute_the_same(pipeline):
    assert pipeline.effective({}) == pipeline.effective({"epochs": 20, "seeds": [1]})
    assert pipeline.effective({"options": {"a": 1, "b": 2}}) == pipeline.effective({"options": {"b": 2.0, "a": 1.0}})
    assert pipeline.effective({}) != pipeline.effective({"epochs": 21})
    assert pipeline.effective({"seeds": [True]}) != pipeline.effective({"seeds": [1]})
    assert pipeline.effective({"weights": "1"}) != pipeline.effective({"weights": 1})


def test_set_needs_a_name_and_a_value_of_which_the_last_counts():
    assert package.split_words(["a=1", "b=x=y", "c=", "a=2"]) == {"a": "2", "b": "x=y", "c": ""}
    for words in (["epochs"], ["=3"]):
        with pytest.raises(UserError, match="--set"):
            package.split_words(words)


def test_a_parameter_file_is_yaml_or_json(tmp_path):
    path = tmp_path / "parameters"
    path.write_text("epochs: 30\nseeds: [1, 2]\n")
    assert package.read_file(path) == {"epochs": 30, "seeds": [1, 2]}
    path.write_text(json.dumps({"epochs": 30}))
    assert package.read_file(path) == {"epochs": 30}


@pytest.mark.parametrize("content", [b"- 1", b"a: [", b"", b"1: 2", b"\xff\xfe\x00", b"!!python/object:os.system {}"])
def test_a_parameter_file_that_holds_something_else_is_refused(tmp_path, content):
    (tmp_path / "parameters.yaml").write_bytes(content)
    with pytest.raises(UserError, match=r"parameters\.yaml"):
        package.read_file(tmp_path / "parameters.yaml")


@pytest.mark.parametrize("content", [b"", b"a: 1", b"[1]", b"pipelineInfo: [", b"\xff", b"pipelineInfo: {name: x}"])
def test_what_is_no_compiled_pipeline_is_refused(tmp_path, content):
    (tmp_path / "some.yaml").write_bytes(content)
    with pytest.raises(UserError, match=r"some\.yaml is not a compiled pipeline: make one with python compile\.py"):
        package.load(tmp_path / "some.yaml")


def test_a_components_yaml_is_not_taken_for_the_pipelines(write):
    with pytest.raises(UserError, match="is the pipeline 'train', not 'pneumonia-benchmark'"):
        package.load(write(name="train"))


def test_a_missing_or_too_large_yaml_is_named(tmp_path):
    with pytest.raises(UserError, match="there is no file"):
        package.load(tmp_path / "missing.yaml")
    with (tmp_path / "large.yaml").open("wb") as file:
        file.truncate(package.LARGEST_BYTES + 1)
    with pytest.raises(UserError, match="larger than the 32 MiB"):
        package.load(tmp_path / "large.yaml")


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    """The pipeline, with an external test set."""
    folder = tmp_path_factory.mktemp("compiled")
    path = compile_all(Settings(external_test="/data/elsewhere"), folder)[0]
    return package.load(path)


@pytest.mark.parametrize(
    ("parameters", "pinned"),
    [
        ({}, True),
        ({"source": "synthetic", "synthetic_images": 60}, True),
        ({"source": "https://example.org/x.zip", "sha256": "0" * 64}, True),
        ({"source": "https://example.org/x.zip"}, False),
        ({"source": "http://localhost/x.zip", "sha256": "0" * 64}, False),
        ({"source": "directory", "path": "/data"}, False),
        ({"source": "gs://bucket/prefix"}, False),
        ({"source": "kaggle"}, False),
        ({"source": "pneumoniamnist"}, True),
        ({"source": "pneumoniamnist", "path": "/data/x.npz"}, False),
    ],
)
def test_a_source_is_pinned_where_it_is_simulated_or_has_a_checksum(real, parameters, pinned):
    assert package.pins_source(real, parameters) is pinned


def test_a_pinned_source_is_no_parameter_any_more_so_another_never_gets_its_images(real, tmp_path):
    parameters = {"source": "https://example.org/x.zip", "sha256": "a" * 64, "epochs": 3}
    pinned, left = package.with_pinned_source(real, parameters, tmp_path / "pinned.yaml")
    assert left == {"epochs": 3}
    assert real.parameters.keys() - pinned.parameters.keys() == {"source", "path", "sha256"}
    with pytest.raises(UserError, match="no parameter 'source'"):
        package.check(pinned, {}, {"source": "directory"})
    tasks = pinned.documents[0]["root"]["dag"]["tasks"]
    given = tasks["ingest"]["inputs"]["parameters"]
    fixed = {name: given[name]["runtimeValue"]["constant"] for name in ("source", "path", "sha256")}
    assert fixed == {"source": "https://example.org/x.zip", "path": "", "sha256": "a" * 64}
    assert given["synthetic_images"] == {"componentInputParameter": "synthetic_images"}
    assert tasks["ingest"]["cachingOptions"] == {"enableCache": True}
    text = json.dumps(pinned.documents)
    assert not any(f'"componentInputParameter": "{name}"' in text for name in ("source", "path", "sha256"))


def test_the_external_test_set_is_in_a_folder_and_never_from_the_cache(real, tmp_path):
    pinned, _ = package.with_pinned_source(real, {}, tmp_path / "pinned.yaml")
    before, after = (one.documents[0]["root"]["dag"]["tasks"] for one in (real, pinned))
    assert after["ingest-2"] == before["ingest-2"]
    assert after["ingest-2"]["cachingOptions"] == {}
    assert {name for name in before if after[name] != before[name]} == {"ingest"}


def test_another_pinned_source_is_another_version(real, tmp_path):
    versions = {
        package.with_pinned_source(real, parameters, tmp_path / f"{number}.yaml")[0].version
        for number, parameters in enumerate(({}, {"source": "pneumoniamnist"}, {"synthetic_images": 60}))
    }
    assert len(versions) == 2, "how many images are simulated stays a parameter"
    assert real.version not in versions


@pytest.mark.parametrize(
    ("values", "texts", "message"),
    [
        ({}, {"image_size": "2000"}, "the parameter image_size is 2000, but must be a whole number from 32 to 1024"),
        ({"image_size": 16}, {}, "the parameter image_size is 16"),
        ({}, {"trainable_layers": "1000"}, "--set trainable_layers= is 1000, but MobileNetV2 has 154 layers"),
        ({}, {"seeds": "0"}, "the parameter seeds is 0, but must be a whole number of at least 1"),
        ({}, {"seeds": "[1, 1]"}, "the parameter seeds is"),
        ({}, {"seed": "-1"}, "the parameter seed is -1"),
        ({}, {"learning_rate": "1.5"}, "the parameter learning_rate is 1.5"),
        ({}, {"gpu_hour_price": "-2"}, "the parameter gpu_hour_price is -2"),
        ({"max_bad_fraction": 2}, {}, "the parameter max_bad_fraction is 2"),
        ({}, {"synthetic_images": "10"}, "the parameter synthetic_images is 10"),
        ({}, {"path": "/data"}, "path= has no effect with the source 'synthetic': it needs --set source=directory"),
        ({"source": "kaggle", "synthetic_size": 64}, {}, "synthetic_size= has no effect with the source 'kaggle'"),
        ({}, {"backbone": "VGG"}, "the parameter backbone is 'VGG', but must be one of"),
        ({}, {"source": "magic"}, "there is no source 'magic'"),
    ],
)
def test_what_a_step_would_refuse_later_is_refused_before_anything_is_sent(real, values, texts, message):
    with pytest.raises(UserError, match=message):
        package.check(real, values, texts)


def test_a_file_of_all_parameters_may_hold_those_without_effect_as_they_are(real):
    values = {name: own.default for name, own in PIPELINE.items()} | {"source": "kaggle", "epochs": 3}
    assert package.check(real, values, {}) == values


def test_what_a_task_needs_is_what_the_yaml_says(yaml_file):
    pipeline = package.load(yaml_file)
    assert pipeline.needs("train-2") == "1 nvidia.com/gpu, 2 CPUs and 8G of memory"
    assert pipeline.needs("compare") == "1 CPUs and 2G of memory"
