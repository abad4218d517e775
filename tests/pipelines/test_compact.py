"""What a pipeline carries of its components: short, and the same steps."""

from pathlib import Path

import pytest
import yaml
from kfp import local
from kfp.dsl.types.type_utils import is_parameter_type

from components.ingest.component import ingest
from pipelines.compact import bare
from pipelines.compiling import COMPONENTS, compile_all
from pipelines.settings import Settings


def source(component):
    return component.component_spec.implementation.container.command[-1]


@pytest.mark.parametrize("component", COMPONENTS, ids=lambda component: component.name)
def test_the_source_names_the_function_and_its_interface(component):
    scope = {}
    exec(source(component), scope)  # noqa: S102 (as kfp's executor does)
    assert scope[component.python_func.__name__] is component.python_func


@pytest.mark.parametrize("component", COMPONENTS, ids=lambda component: component.name)
def test_a_bare_one_has_the_same_inputs_without_descriptions_and_defaults(component):
    found = bare(component).component_spec
    assert source(bare(component)) == source(component)
    assert {entry.description for entry in found.inputs.values()} == {None}
    for name, entry in component.component_spec.inputs.items():
        assert entry.description
        assert found.inputs[name].type == entry.type
        parameter = is_parameter_type(entry.type)
        assert (found.inputs[name].default, found.inputs[name].optional) == (None, entry.optional and not parameter)


def test_yaml_files_carry_short_commands_and_describe_what_users_set(tmp_path):
    for file in compile_all(Settings(), tmp_path):
        found = next(yaml.safe_load_all(file.read_text()))
        for executor in found["deploymentSpec"]["executors"].values():
            *_, script, text = executor["container"]["command"]
            assert text.startswith("from components.step import load\n")
            assert "   " not in script
        for kind in found["root"]["inputDefinitions"].values():
            assert all(value["description"] for value in kind.values())


@pytest.mark.slow
def test_a_component_runs_by_itself(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    local.init(runner=local.SubprocessRunner(use_venv=False), pipeline_root=str(tmp_path))
    done = ingest(synthetic_images=40, synthetic_size=32)
    assert done.outputs["raw_dataset"].metadata["images"] == 40
