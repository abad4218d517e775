"""Compiles the pipeline, and each component by itself, to the YAML that Kubeflow runs."""

from pathlib import Path

from kfp import compiler
from kfp.dsl.base_component import BaseComponent

from components.compare.component import compare
from components.evaluate.component import evaluate, evaluate_floor
from components.images import TRAIN_IMAGE
from components.ingest.component import ingest
from components.preprocess.component import preprocess
from components.train.component import train
from pipelines.benchmark import NAME, build
from pipelines.compact import compact
from pipelines.settings import Settings

COMPONENTS = (ingest, preprocess, train, evaluate, evaluate_floor, compare)


def compile_all(settings: Settings, output: Path) -> list[Path]:
    """Writes the pipeline's YAML and one YAML a component.

    Args:
        settings: what is fixed at compile time.
        output: folder for `pneumonia_benchmark.yaml` and `components/<name>.yaml`.

    Returns:
        The files, the pipeline's first.
    """
    (output / "components").mkdir(parents=True, exist_ok=True)
    written = [output / f"{NAME.replace('-', '_')}.yaml"]
    _write(build(settings), written[0])
    for component in COMPONENTS:
        single = compact(component)
        container = single.component_spec.implementation.container
        container.image = settings.train_image if container.image == TRAIN_IMAGE else settings.data_image
        written.append(output / "components" / f"{component.name}.yaml")
        _write(single, written[-1])
    return written


def _write(component: BaseComponent, path: Path) -> None:
    partial = path.with_name(f".{path.stem}.partial.yaml")
    compiler.Compiler().compile(component, str(partial))
    partial.replace(path)
