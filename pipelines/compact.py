"""Components as a pipeline carries them: without what the status of a run would repeat."""

import copy

from kfp.dsl.python_component import PythonComponent
from kfp.dsl.types.type_utils import is_parameter_type


def bare(component: PythonComponent) -> PythonComponent:
    """A copy of a component without descriptions and defaults of its parameters, which the status would repeat.

    So each of its tasks must be given all of them. The pipeline's own inputs keep both, since Kubeflow's run form shows
    them, and so do the components' YAML files.
    """
    shorter = copy.deepcopy(component)
    for spec in shorter.component_spec.inputs.values():
        spec.description = None
        if is_parameter_type(spec.type):
            spec.default, spec.optional = None, False
    return shorter
