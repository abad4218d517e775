"""What others rely on: parameters and artifacts of the pipeline and its components, as `interfaces.json` has them.

A change here breaks saved runs, schedules and other people's pipelines. Where one is meant, announce it: run
`UPDATE_INTERFACES=1 pytest tests/pipelines/test_interfaces.py` and commit the file with the change.
"""

import json
import os
from pathlib import Path

import pytest
import yaml
from kfp import components as kfp_components

from compile import main
from pipelines.compiling import COMPONENTS

FILE = Path(__file__).with_name("interfaces.json")
NAMES = ["pneumonia_benchmark", *(component.name for component in COMPONENTS)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    target = tmp_path_factory.mktemp("build")
    main(["--output", str(target)])
    return target


def path_of(folder, name):
    return next(folder.rglob(f"{name}.yaml"))


def interface(path):
    """{input or output: type, default, whether it may be left out}, of the YAML's root."""
    root = next(yaml.safe_load_all(path.read_text()))["root"]

    def entries(definitions):
        parameters = {
            name: [value["parameterType"], value.get("defaultValue"), value.get("isOptional", False)]
            for name, value in definitions.get("parameters", {}).items()
        }
        artifacts = {
            name: [
                value["artifactType"]["schemaTitle"],
                value.get("isArtifactList", False),
                value.get("isOptional", False),
            ]
            for name, value in definitions.get("artifacts", {}).items()
        }
        return parameters | artifacts

    return {
        "inputs": entries(root.get("inputDefinitions", {})),
        "outputs": entries(root.get("outputDefinitions", {})),
    }


def test_interfaces_are_the_announced_ones(folder):
    found = {name: interface(path_of(folder, name)) for name in NAMES}
    if os.environ.get("UPDATE_INTERFACES"):
        FILE.write_text(json.dumps(found, indent=1) + "\n")
    assert found == json.loads(FILE.read_text()), "an interface changed: see the top of this file"


@pytest.mark.parametrize("name", NAMES)
def test_kfp_loads_what_was_written_and_sees_the_same_inputs(folder, name):
    loaded = kfp_components.load_component_from_file(str(path_of(folder, name)))
    announced = json.loads(FILE.read_text())[name]["inputs"]
    assert set(loaded.component_spec.inputs or {}) == set(announced)


@pytest.mark.parametrize("name", NAMES)
def test_every_input_has_a_description(folder, name):
    root = next(yaml.safe_load_all(path_of(folder, name).read_text()))["root"]
    for group in ("parameters", "artifacts"):
        for entry, value in root.get("inputDefinitions", {}).get(group, {}).items():
            assert value.get("description"), entry
