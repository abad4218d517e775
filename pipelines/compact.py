"""Components as a pipeline carries them: without the texts that the status of a run would repeat."""

import copy

from kfp.dsl.python_component import PythonComponent


def bare(component: PythonComponent) -> PythonComponent:
    """A copy of a component without the descriptions of its inputs, which the status of each run would repeat.

    The pipeline's own inputs keep theirs, which Kubeflow's run form shows, and so do the components' YAML files.
    """
    shorter = copy.deepcopy(component)
    for spec in shorter.component_spec.inputs.values():
        spec.description = None
    return shorter
