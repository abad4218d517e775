"""Which steps of a run have finished: recorded beside their outputs, so that the run can be continued.

kfp 2.17 has a cache for its local runner too. It tells artifacts apart by their paths instead of their content, and
leaves out the tasks that Kubeflow must not take from its cache, evaluate among them.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from components.artifacts import failed_training, files
from components.console import say

RECORD = "finished.json"
"""Name of the record in a task's folder; it is written last."""

_EXECUTOR_OUTPUT = "executor_output.json"
"""What kfp writes when a task's function has returned."""

_WITHOUT_EFFECT = {"run_started", "checkpoints"}
"""Parameters that change no output by themselves: what compare says of the time when a run was continued depends on the
trainings, which are its inputs, and the folder of checkpoints is in that of the run, which may be moved."""

_REASONS = {
    "code": "the code or a package has changed",
    "parameters": "its parameters have changed",
    "inputs": "what it works on has changed",
}


class Steps:
    """Stands in for the function by which kfp's local runner runs a task: what has finished is taken as it is.

    A task has finished if its record says so, is of the same code, parameters and inputs, and fits its outputs. All
    others run in an empty folder. What was taken is added to the last entry of "resumed" in the run's `run.json`.
    A task with a training that failed, and with its evaluation, gets no record: it is to be made again.

    Args:
        run: kfp's function, `task_dispatcher.run_single_task_implementation`.
        folder: of the run.
        titles: of the tasks, by component, for messages.
        images: {name: identity} of container images, where the name does not tell their content.
    """

    def __init__(self, run: Callable, folder: Path, titles: Mapping[str, str], images: Mapping[str, str]):
        self._run, self._folder, self._titles, self._images = run, folder.resolve(), titles, images
        self._digests: dict[Path, str | None] = {}
        self._stopped = False

    def stop(self, *_: object) -> None:
        """Lets no further task begin; a handler of signals."""
        self._stopped = True

    def __call__(self, **task: Any) -> tuple[dict[str, Any], Any]:
        """Takes or runs a task; the arguments are those of kfp's function, and so is what it gives."""
        from kfp.local.status import Status  # noqa: PLC0415 (after warnings are off)

        if self._stopped:
            return {}, Status.FAILURE
        place = Path(task["pipeline_root"])
        # kfp names the folder of all tasks after the time, but a continued run stays in the one that it has.
        task["pipeline_resource_name"] = next(_folders(place), task["pipeline_resource_name"])
        root = place / task["pipeline_resource_name"] / task["component_name"].removeprefix("comp-")
        title = self._titles.get(task["component_name"], root.name)
        made_of = self._made_of(task)
        if root.is_dir():
            reason = self._changed(root, made_of) if (root / RECORD).is_file() else ""
            if reason is None:
                say(title, "taken from the interrupted run")
                _note(self._folder, title)
                return _outputs(task, root), Status.SUCCESS
            if reason:
                say(title, f"made again, since {reason}")
            shutil.rmtree(root)
        outputs, status = self._run(**task)
        # kfp can report success although a task's process was killed, or its container has failed and is gone.
        if status == Status.SUCCESS and not (root / _EXECUTOR_OUTPUT).is_file():
            return {}, Status.FAILURE
        names = [*task["component_spec"].output_definitions.artifacts, _EXECUTOR_OUTPUT]
        if status == Status.SUCCESS and not any(_failures(root / name) for name in names):
            made = {name: self._digest(root / name, anew=True) for name in names}
            files.write_json(root / RECORD, {"made_of": made_of, "outputs": made})
        return outputs, status

    def _made_of(self, task: Mapping[str, Any]) -> dict[str, str]:
        """Fingerprints of what the outputs of a task depend on; the keys are those of `_REASONS`."""
        from kfp import dsl  # noqa: PLC0415 (after warnings are off)

        container = task["executor_spec"].container
        # The default name of an image contains a hash of the code in it.
        image = container.image, self._images.get(container.image, "")
        variables = {variable.name: variable.value for variable in container.env}
        code = [*image, list(container.command), list(container.args), variables, files.versions()]
        values = {name: value for name, value in task["arguments"].items() if value is not None}
        inputs = {name: value for name, value in values.items() if isinstance(value, dsl.Artifact)}
        content = {name: self._digest(Path(artifact.path)) for name, artifact in inputs.items()}
        parameters = {name: values[name] for name in values.keys() - inputs.keys() - _WITHOUT_EFFECT}
        places = {name: self._place(value) for name, value in parameters.items() if isinstance(value, str)}
        parts = {"code": code, "parameters": parameters, "inputs": [content, places]}
        return {name: _sha256(json.dumps(part, sort_keys=True)) for name, part in parts.items()}

    def _changed(self, root: Path, made_of: Mapping[str, str]) -> str | None:
        """Why a task that has finished must run again; None if it need not."""
        try:
            record = json.loads((root / RECORD).read_text(encoding="utf-8"))
            before, outputs = dict(record["made_of"]), dict(record["outputs"])
        except (ValueError, KeyError, TypeError):
            return f"{RECORD} is damaged"
        changed = [reason for name, reason in _REASONS.items() if before.get(name) != made_of[name]]
        changed += [
            f"{name} is no longer what it made"
            for name, digest in outputs.items()
            if self._digest(root / name, anew=True) != digest
        ]
        return changed[0] if changed else None

    def _digest(self, path: Path, anew: bool = False) -> str | None:
        """A hash of names and content of a file or folder; None if there is neither, as for Kubeflow's metrics."""
        if anew or path not in self._digests:
            self._digests[path] = _content(path)
        return self._digests[path]

    def _place(self, value: str) -> str | None:
        """A hash of names, sizes and times of the user's files; None if the value is not the path of any."""
        place = Path(value)
        if not place.is_absolute() or not place.exists():
            return None
        digest = hashlib.sha256()
        for path in _below(place, without=(self._folder, self._folder.parent)):
            state = path.stat()
            digest.update(f"{path.relative_to(place)}\0{state.st_size}\0{state.st_mtime_ns}\0".encode(errors="replace"))
        return digest.hexdigest()


def _outputs(task: Mapping[str, Any], root: Path) -> dict[str, Any]:
    """What kfp's function gave when the task ran."""
    from kfp import dsl  # noqa: PLC0415 (after warnings are off)
    from kfp.local import executor_input_utils, executor_output_utils  # noqa: PLC0415

    component = task["component_spec"]
    given = executor_input_utils.construct_executor_input(component, task["arguments"], str(root), False)
    outputs = executor_output_utils.get_outputs_for_task(given, component)
    for name, output in outputs.items():
        if isinstance(output, dsl.Artifact):
            output.uri = str(root / name)  # the run's folder may have been moved
    return outputs


def _failures(made: Path) -> list[Path]:
    """The trainings that failed, of an artifact of one regime or one with a folder for each."""
    return [*made.glob(failed_training.FILE), *made.glob(f"*/{failed_training.FILE}")]


def _note(folder: Path, title: str) -> None:
    path = folder / "run.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    content["resumed"][-1]["taken"].append(title)
    files.write_json(path, content)


def _folders(folder: Path) -> Iterator[str]:
    return (path.name for path in folder.iterdir() if path.is_dir())


def _below(place: Path, without: tuple[Path, ...] = ()) -> Iterator[Path]:
    """The file, or all files in the folder, in a fixed order."""
    if place.is_file():
        yield place
    for parent, folders, names in os.walk(place):
        folders[:] = sorted(name for name in folders if Path(parent, name) not in without)
        yield from (path for name in sorted(names) if (path := Path(parent, name)).is_file())


def _content(path: Path) -> str | None:
    if not path.exists():
        return None
    digest = hashlib.sha256()
    for file in _below(path):
        with file.open("rb") as opened:
            content = hashlib.file_digest(opened, "sha256").digest()
        digest.update(os.fsencode(file.relative_to(path)) + b"\0" + content)
    return digest.hexdigest()


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
