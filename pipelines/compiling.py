"""Compiles the pipeline, and each component separately, to YAML for Kubeflow."""

import copy
from pathlib import Path

from kfp import compiler
from kfp.dsl.base_component import BaseComponent

from components.check.component import check
from components.compare.component import compare
from components.evaluate.component import evaluate
from components.images import TRAIN_IMAGE
from components.ingest.component import ingest
from components.preprocess.component import preprocess
from components.record.component import record
from components.train.component import train, train_budgets
from pipelines.benchmark import NAME, build
from pipelines.settings import Settings

COMPONENTS = (ingest, preprocess, train, train_budgets, evaluate, compare, check, record)


def compile_all(settings: Settings, output: Path) -> list[Path]:
    """Writes the YAML file of the pipeline and one per component.

    Args:
        settings: of the pipeline.
        output: folder for `pneumonia_benchmark.yaml` and `components/<name>.yaml`.

    Returns:
        The files; the first is the pipeline's.
    """
    (output / "components").mkdir(parents=True, exist_ok=True)
    written = [output / f"{NAME.replace('-', '_')}.yaml"]
    _write(build(settings), written[0])
    for component in COMPONENTS:
        single = copy.deepcopy(component)
        container = single.component_spec.implementation.container
        container.image = settings.train_image if container.image == TRAIN_IMAGE else settings.data_image
        written.append(output / "components" / f"{component.name}.yaml")
        _write(single, written[-1])
    return written


def _write(component: BaseComponent, path: Path) -> None:
    partial = path.with_name(f".{path.stem}.partial.yaml")
    compiler.Compiler().compile(component, str(partial))
    partial.replace(path)
