"""Compiles the pipeline, and finds tasks and executors in its YAML."""

import yaml

from compile import main


def read(path):
    return next(yaml.safe_load_all(path.read_text()))


def executors(folder, *words):
    """The executors of the pipeline compiled with these options: {step: (container, Kubernetes settings)}."""
    main([*words, "--output", str(folder)])
    pipeline, platform = yaml.safe_load_all((folder / "pneumonia_benchmark.yaml").read_text())
    containers = pipeline["deploymentSpec"]["executors"]
    kubernetes = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    assert set(kubernetes) == set(containers)
    return {name.removeprefix("exec-"): (containers[name]["container"], kubernetes[name]) for name in containers}


def executor_of(pipeline, task):
    label = pipeline["components"][task["componentRef"]["name"]]["executorLabel"]
    return pipeline["deploymentSpec"]["executors"][label]["container"]


def of_step(tasks, step):
    return {name: task for name, task in tasks.items() if task["taskInfo"]["name"].startswith(step)}
