"""Runs the whole pipeline on this machine under kfp's local runner: python -m pipelines.local."""

import argparse
import os
import re
import secrets
import sys
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from components import console
from components.artifacts import files
from components.artifacts.names import BACKBONES, REGIMES, SOURCE_URLS, SOURCES, WEIGHTS
from components.console import UserError
from images.build import images, reference
from pipelines import limits
from pipelines.local import containers, process
from pipelines.local.process import Job
from pipelines.settings import Settings

LATEST = "latest"
_FAILED = re.compile(r"finished with status \S*FAILURE")
"""What kfp says after a step, with codes of colours before the status."""
_NOT_PARAMETERS = ("output", "regimes", "verbose", "runner", "registry", "tag", "gpus", "external_test")


def main(words: Sequence[str] | None = None) -> None:
    """Reads the command line, runs the pipeline, prints the comparison."""
    parser = _parser()
    arguments = parser.parse_args(words)
    with console.plain_errors(), process.stoppable():
        _check(arguments, _given(parser, words))
        settings = _settings(arguments)
        if arguments.runner == "docker":
            containers.check([settings.data_image, settings.train_image])
        folder = _new_run(arguments.output)
        print(f"run {folder.name}: everything that is printed goes to {_short(folder / 'run.log')}", flush=True)
        given = (arguments.path, arguments.weights, arguments.external_test)
        job = Job(
            folder=folder,
            parameters=_parameters(arguments),
            settings=settings,
            in_containers=arguments.runner == "docker",
            inputs=[str(Path(path).resolve()) for path in given if path and Path(path).exists()],
            gpus=arguments.gpus,
        )
        comparison = run(job, arguments.verbose)
        print()
        print((comparison / "table.txt").read_text(encoding="utf-8"))
        print(f"report: {_short(comparison / 'report.html')}", flush=True)
        _point_to_latest(arguments.output / LATEST, folder)


def run(job: Job, verbose: bool) -> Path:
    """Runs the pipeline.

    Args:
        job: what is run. In its folder appear `run.log` and `steps/` (the steps' artifacts), and when all has gone well
            `comparison/`.
        verbose: print everything instead of progress.

    Returns:
        The comparison's folder.

    Raises:
        UserError: a step failed, after which no other one goes on; the message is the step's own where it gave one.
    """
    folder = job.folder
    content = {"parameters": job.parameters, "regimes": list(job.settings.regimes), "command": sys.argv}
    files.write_json(folder / "run.json", content)
    with (folder / "run.log").open("w", encoding="utf-8") as log:
        output = _Output(sys.stdout, log, verbose)
        with process.started(job) as lines:
            for line in lines:
                output.take(line)
                if output.error or output.failed:
                    break
    steps = _only_folder(folder / "steps")
    made = steps / "compare" / "comparison" if steps else folder
    # kfp's runner can take a step that vanished for a success, so what counts is the result.
    if output.error or output.failed or not (made / "results.json").is_file():
        raise UserError(output.error or f"a step failed: the reason is at the end of {_short(folder / 'run.log')}")
    return made.rename(folder / "comparison")


def _settings(arguments: argparse.Namespace) -> Settings:
    data, train = (reference(image, arguments.registry, arguments.tag) for image in images(gpu=arguments.gpus > 0))
    external = str(Path(arguments.external_test).resolve()) if arguments.external_test else ""
    return Settings(regimes=arguments.regimes, data_image=data, train_image=train, gpus=0, external_test=external)


class _Output:
    """What the pipeline prints: all of it to the log, progress lines to the terminal."""

    def __init__(self, terminal: Any, log: Any, verbose: bool):
        self._terminal, self._log, self._verbose = terminal, log, verbose
        self._begun = time.monotonic()
        self.error = ""
        self.failed = False

    def take(self, line: str) -> None:
        """Takes the next line."""
        self._log.write(line)
        self._log.flush()
        if self._verbose:
            self._terminal.write(line)
            self._terminal.flush()
        self.failed = self.failed or bool(_FAILED.search(line))
        _, prefix, message = line.rstrip("\n").partition(console.PREFIX)
        if message.startswith("error: "):
            self.error = message.removeprefix("error: ")
        elif prefix and not self._verbose:
            minutes, seconds = divmod(int(time.monotonic() - self._begun), 60)
            self._terminal.write(f"{minutes:3d}:{seconds:02d}  {message}\n")
            self._terminal.flush()


def _given(parser: argparse.ArgumentParser, words: Sequence[str] | None) -> set[str]:
    """The options that the command line has, by the names of their values."""
    nothing = argparse.Namespace(**{action.dest: None for action in parser._actions})
    return {name for name, value in vars(parser.parse_args(words, nothing)).items() if value is not None}


def _check(arguments: argparse.Namespace, given: set[str]) -> None:
    """Finds mistakes that a step would find only minutes later."""
    for place in (arguments.path, arguments.weights, arguments.external_test, arguments.output):
        console.check_name(place)
    values = vars(arguments)
    known = {name: values[name] for name in limits.DEFAULTS}
    limits.check(known, given & known.keys(), limits.option)
    for name in ("registry", "tag", "gpus"):
        if name in given and arguments.runner != "docker":
            raise UserError(f"--{name} has no effect without containers: it needs --runner docker; or leave it out")
    if arguments.path and arguments.source != "kaggle" and not Path(arguments.path).exists():
        raise UserError(f"there is no folder or file {arguments.path}: check --path")
    if arguments.external_test and not Path(arguments.external_test).exists():
        raise UserError(f"there is no folder {arguments.external_test}: check --external-test")
    if arguments.weights not in WEIGHTS and not Path(arguments.weights).is_file():
        raise UserError(f"there is no weights file {arguments.weights}: give --weights a path or {', '.join(WEIGHTS)}")


def _parameters(arguments: argparse.Namespace) -> dict[str, Any]:
    """The pipeline's parameters from the command line's."""
    given = vars(arguments)
    taken = {name: value for name, value in given.items() if name not in _NOT_PARAMETERS}
    # The steps run in other folders.
    if arguments.path and arguments.source != "kaggle":
        taken["path"] = str(Path(arguments.path).resolve())
    if arguments.weights not in WEIGHTS:
        taken["weights"] = str(Path(arguments.weights).resolve())
    return taken


def _new_run(output: Path) -> Path:
    """Makes the folder of a new run, named by the time."""
    name = datetime.now().strftime("%Y%m%d-%H%M%S")
    try:
        output.mkdir(parents=True, exist_ok=True)
        folder = output / name
        if folder.exists():
            folder = output / f"{name}-{secrets.token_hex(2)}"
        folder.mkdir()
    except (FileExistsError, NotADirectoryError):
        raise UserError(f"{output} is not a folder: choose another --output") from None
    return folder


def _point_to_latest(link: Path, folder: Path) -> None:
    """Points the link to the latest run; where that cannot be, says so, since the run itself is done."""
    try:
        point_to(link, folder)
    except (OSError, UserError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        print(f"there is no link {_short(link)} to this run ({reason}): name the run's folder where you need it")


def point_to(link: Path, folder: Path) -> None:
    """Makes `link` point to `folder`, which lies beside it, in one step.

    Raises:
        UserError: something that is no link has its name.
        OSError: the disk has no symbolic links.
    """
    if link.exists() and not link.is_symlink():
        raise UserError(f"{link} is in the way: rename it")
    new = link.with_name(f".{link.name}-{os.getpid()}")
    new.unlink(missing_ok=True)
    new.symlink_to(folder.name)
    new.replace(link)


def latest(output: Path) -> Path:
    """The latest finished run: what the link points to, or without one the newest of those that are finished."""
    if (output / LATEST).is_dir():
        return output / LATEST
    # Runs are named by their time.
    finished = sorted(path.parents[1] for path in output.glob("*/comparison/results.json"))
    return finished[-1] if finished else output / LATEST


def _only_folder(folder: Path) -> Path | None:
    below = [path for path in folder.iterdir() if path.is_dir()] if folder.is_dir() else []
    return below[0] if below else None


def _short(path: Path) -> str:
    """A path relative to where the user is, if that is shorter."""
    return min(str(path), os.path.relpath(path), key=len)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pipelines.local",
        description="Runs the benchmark on this machine: ingest, preprocess, four trainings, evaluation, comparison.",
        epilog="""examples:
  python -m pipelines.local --weights bundled
      everything on simulated radiographs, with the small pre-trained network that the project carries
  python -m pipelines.local --source directory --path ~/chest_xray --image-size 128
      your images, the networks pre-trained on ImageNet (downloaded once)
  python -m pipelines.local --source kaggle
      Kaggle's "Chest X-Ray Images (Pneumonia)"; also pneumoniamnist, gs://, s3:// and https://
  python -m pipelines.local --regimes custom_cnn transfer_learning --epochs 5
      two of the four regimes
  make images; python -m pipelines.local --runner docker --weights bundled
      every step in its container, as on a cluster""",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument

    def number(name: str, **options: str) -> None:
        """A parameter whose range and default are known."""
        add(limits.option(name), type=limits.RANGES[name].read, default=limits.DEFAULTS[name], **options)

    places = f"{', '.join(SOURCES)}, or a URL: {', '.join(SOURCE_URLS)}"
    add("--source", default="synthetic", metavar="PLACE", help=f"{places}; default: %(default)s")
    add("--path", default="", help="folder, archive or table (directory); dataset id (kaggle); .npz (pneumoniamnist)")
    add("--sha256", default="", help="of the archive behind https://; other content is refused")
    number("pneumoniamnist_size", metavar="PX", help="28, 64, 128 or 224")
    add(
        "--external-test", default="", metavar="PATH", help="a second folder, from another hospital, to score models on"
    )
    add("--regimes", nargs="+", choices=REGIMES, default=list(REGIMES), metavar="NAME", help="; ".join(REGIMES))
    add("--backbone", choices=BACKBONES, default="MobileNetV2", help="default: %(default)s")
    add("--weights", default="imagenet", help=f"{', '.join(WEIGHTS)}, or a Keras weights file; default: %(default)s")
    number("image_size", metavar="PX", help="default: %(default)s")
    number("epochs", metavar="N", help="at most so many; default: %(default)s")
    number("patience", metavar="N", help="0 trains all epochs; default: %(default)s")
    number("batch_size", metavar="N", help="default: %(default)s")
    number("learning_rate", metavar="X", help="default: %(default)s")
    number("trainable_layers", metavar="N", help="partial fine-tuning's; default: %(default)s")
    number(
        "target_sensitivity",
        metavar="X",
        help="thresholds are the highest that reach it on validation; default: Youden's J decides",
    )
    number(
        "gpu_hour_price", metavar="PRICE", help="of an hour of training with a GPU, in your currency; default: unknown"
    )
    number("cpu_hour_price", metavar="PRICE", help="likewise without a GPU")
    number("seeds", metavar="N", help="train everything N times; default: %(default)s")
    number("seed", metavar="S", help="the first of them; default: %(default)s")
    number("data_seed", metavar="S", help="of simulation and split; default: %(default)s")
    number("synthetic_images", metavar="N", help="default: %(default)s")
    number("synthetic_size", metavar="PX", help="shorter side; default: %(default)s")
    number("synthetic_difficulty", metavar="X", help="0 to 1; default: %(default)s")
    number(
        "max_bad_fraction",
        metavar="X",
        help="fail where more of the files than this cannot be used; default: %(default)s",
    )
    add("--deduplicate", action="store_true", help="leave copies of images out")
    add("--resplit", action="store_true", help="ignore the source's splits, make new ones by patient")
    add("--no-report-images", dest="report_images", action="store_false", help="no example images in the report")
    add("--runner", choices=("subprocess", "docker"), default="subprocess", help="default: %(default)s")
    add("--registry", default="", help="of the images, for --runner docker; default: images on this machine")
    add("--tag", default="", help="of the images; default: version and a hash of what is in each")
    add("--gpus", type=limits.Range(0).read, default=0, metavar="N", help="GPUs a container; default: %(default)s")
    add("--output", type=Path, default=Path("runs"), metavar="DIR", help="folder of all runs; default: %(default)s")
    add("--verbose", action="store_true", help="print everything")
    return parser
