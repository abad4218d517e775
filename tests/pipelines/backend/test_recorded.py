"""The stand-in gives a step what a real backend gave it: from the same inputs, the same executor input."""

import json
import os
import re
from pathlib import Path

import pytest
import yaml

from tests.pipelines.backend.driver import Inputs, executor_input
from tests.pipelines.backend.store import Store

ADDED = ("display_name", "store_session_info")
SAMPLE = Path(__file__).with_name("executor_input.json")
STEPS = ("ingest", "preprocess", "train", "evaluate", "evaluate_floor", "compare")
SINCE = {"evaluate": {"model": "custom_cnn"}, "evaluate_floor": {}, "compare": {"custom_cnn": "evaluations"}}
"""What has become of inputs since then: evaluate took the models of one regime, and there was a task for the baseline;
compare took the evaluations of each regime. They differ in nothing but their names, and others are gone."""


def of_today(recorded, step, component):
    """An executor input with the names of today, without the inputs that are gone."""
    names = SINCE.get(step, {})
    known = component["inputDefinitions"].get("artifacts", {})
    renamed = {names.get(name, name): entry for name, entry in recorded["inputs"].get("artifacts", {}).items()}
    kept = {name: entry for name, entry in renamed.items() if name in known}
    inputs = recorded["inputs"] | ({"artifacts": kept} if "artifacts" in recorded["inputs"] else {})
    return recorded | {"inputs": inputs}


def component_of(folder, step):
    step = "evaluate" if step == "evaluate_floor" else step
    specification = next(yaml.safe_load_all((folder / f"{step.replace('_', '-')}.yaml").read_text()))
    (component,) = specification["components"].values()
    return component


def rebuilt(recorded, component, store):
    """What the stand-in makes of the inputs of a recorded executor input."""
    inputs, artifacts, typed = recorded["inputs"], {}, set()
    definitions = component["inputDefinitions"].get("artifacts", {})
    for name, entry in inputs.get("artifacts", {}).items():
        given = entry["artifacts"]
        # An input that takes one artifact now took a list, one a seed, when this was recorded.
        given = given if definitions[name].get("isArtifactList") else given[:1]
        artifacts[name] = []
        for artifact in given:
            made = {key: value for key, value in artifact["metadata"].items() if key not in ADDED}
            artifacts[name].append(store.record(artifact["metadata"]["display_name"], artifact["uri"], made))
        if "type" in given[0]:
            typed.add(name)
    parameters = component["inputDefinitions"].get("parameters", {})
    values = {name: value for name, value in inputs.get("parameterValues", {}).items() if name in parameters}
    root = recorded["outputs"]["outputFile"].removesuffix("/output_metadata.json").replace("/minio/", "minio://")
    return executor_input(Inputs(values, artifacts, frozenset(typed)), component, root, "/minio/")


def as_text(artifact):
    """An input artifact without what differs from one backend to another; as text, since 1 equals 1.0 and True."""
    assert re.fullmatch(r"\d+", artifact["name"])
    session = json.loads(artifact["metadata"]["store_session_info"])
    form = {"Provider": session["Provider"], "Params": sorted(session["Params"])}
    shown = artifact | {"name": "", "metadata": artifact["metadata"] | {"store_session_info": form}}
    return json.dumps(shown, sort_keys=True)


def after_compare(compare):
    """What check is given, out of what compare was given and made: it was recorded before there was a check."""
    (other,) = compare["inputs"]["artifacts"]["dataset_summary"]["artifacts"]
    (made,) = compare["outputs"]["artifacts"]["comparison"]["artifacts"]
    given = other | {"uri": made["uri"], "metadata": other["metadata"] | {"display_name": "comparison"}}
    logs = compare["outputs"]["artifacts"]["executor-logs"]
    outputs = {"artifacts": {"executor-logs": logs}, "outputFile": compare["outputs"]["outputFile"]}
    own = json.loads(re.sub("/compare/[0-9a-f-]{36}/", f"/check/{'0' * 36}/", json.dumps(outputs)))
    return {"inputs": {"artifacts": {"comparison": {"artifacts": [given]}}}, "outputs": own}


def check(recorded, component, folder, step=""):
    recorded = of_today(recorded, step, component)
    found = rebuilt(recorded, component, Store(folder))
    for name, entry in found["inputs"].get("artifacts", {}).items():
        real = recorded["inputs"]["artifacts"][name]["artifacts"]
        for ours, theirs in zip(entry["artifacts"], real, strict=False):
            assert as_text(ours) == as_text(theirs), name
    # A step may have got parameters and outputs since then, or lost some.
    assert found["inputs"].keys() == recorded["inputs"].keys()
    values, real = (given["inputs"].get("parameterValues", {}) for given in (found, recorded))
    shared = values.keys() & real.keys()
    assert shared or not real
    assert {name: repr(values[name]) for name in shared} == {name: repr(real[name]) for name in shared}
    outputs, real = found["outputs"], recorded["outputs"]
    assert outputs["outputFile"] == real["outputFile"]
    shared = outputs["artifacts"].keys() & real["artifacts"].keys()
    assert "executor-logs" in shared
    assert {name: outputs["artifacts"][name] for name in shared} == {name: real["artifacts"][name] for name in shared}
    assert found.keys() == recorded.keys()
    assert outputs.keys() == real.keys()


def test_the_sample_is_given_as_it_was_recorded(components, tmp_path):
    check(json.loads(SAMPLE.read_text()), component_of(components, "evaluate"), tmp_path, "evaluate")


def recorded_of(step):
    shared = os.environ.get("PNEUMONIA_BENCHMARK_DATA")
    path = Path(shared or "", "kfp_backend", f"executor_input.{step}.json")
    if not shared or not path.exists():
        pytest.skip("PNEUMONIA_BENCHMARK_DATA names no folder with kfp_backend/")
    return json.loads(path.read_text())


@pytest.mark.parametrize("step", STEPS)
def test_every_step_is_given_what_was_recorded(components, tmp_path, step):
    check(recorded_of(step), component_of(components, step), tmp_path, step)


def test_check_is_given_what_compare_made(components, tmp_path):
    check(after_compare(recorded_of("compare")), component_of(components, "check"), tmp_path)
