"""The command line of python -m pipelines.local: runs the pipeline on this machine with kfp's local runner."""

import argparse
import contextlib
import secrets
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TextIO

from components import console, options
from components.artifacts import files
from components.artifacts.names import REGIMES, WEIGHTS
from components.console import UserError
from components.parameters import PIPELINE, Range
from components.process import prepare
from components.tracking.names import REGRESSION_CODE
from images.build import images, reference
from pipelines import runs
from pipelines.local import containers, process, recording, resume
from pipelines.local.finished import RECORD
from pipelines.local.output import OutputFilter
from pipelines.local.process import Job
from pipelines.local.recording import Outcome
from pipelines.settings import Settings

CHECK_FAILED = 1
"""Exit code where the report is written, but check has found something wrong with the run."""


def main(words: Sequence[str] | None = None) -> None:
    """Reads the command line, runs the pipeline, prints the comparison; runs it again to confirm an alarm."""
    prepare()
    parser = _parser()
    arguments = parser.parse_args(words)
    with resume.offered() as begun, console.plain_errors(), process.stoppable():
        given = options.given(parser, words)
        vars(arguments).update(command=sys.argv, confirming=False)
        if arguments.resume:
            _check_alone(parser, given)
            resume.restore(arguments, arguments.resume.resolve())
            given = set()
        _check(arguments, given)
        problem, outcome = _run(arguments, begun)
        regressed = outcome.regressed
        if outcome.suspected and not arguments.confirming:
            print("\na run with other seeds follows, which confirms the suspected alarm or does not", flush=True)
            later, outcome = _run(_confirming(arguments), begun)
            problem, regressed = problem or later, regressed or outcome.regressed
        if problem:
            console.say_error(problem)
        if regressed:
            raise SystemExit(REGRESSION_CODE)
        if problem:
            raise SystemExit(CHECK_FAILED)


def _confirming(arguments: argparse.Namespace) -> argparse.Namespace:
    """The arguments of the run that confirms an alarm of another, which has these."""
    seed = arguments.seed + arguments.seeds
    command = [*arguments.command, "--seed", str(seed)]  # of two seeds the last counts
    return argparse.Namespace(
        **vars(arguments) | {"resume": None, "seed": seed, "command": command, "confirming": True}
    )


def _run(arguments: argparse.Namespace, begun: list[Path]) -> tuple[str, Outcome]:
    """Runs the pipeline once, prints and records its comparison.

    Args:
        arguments: checked.
        begun: gets the folder of the run as long as it can be continued.

    Returns:
        What check found wrong with the run, "" if nothing, and what became of the recording.
    """
    job = _job(arguments)
    with resume.locked(job.folder) as log:
        begun.append(job.folder)
        print(f"run {job.folder.name}: all output is in {runs.short(job.folder / 'run.log')}", flush=True)
        _record(arguments, job)
        comparison, problem = run(job, log, arguments.verbose)
        if resume.is_finished(job.folder):
            begun.remove(job.folder)
        print(f"\n{(comparison / 'table.txt').read_text(encoding='utf-8')}")
        print(f"report: {runs.short(comparison / 'report.html')}", flush=True)
        _point_to_latest(arguments.output / runs.LATEST, job.folder)
        return problem, recording.record(job.folder, vars(arguments), log)


def run(job: Job, log: TextIO, verbose: bool) -> tuple[Path, str]:
    """Runs the pipeline.

    Args:
        job: what to run. Its folder gets `steps/` (the steps' artifacts) and, if all steps but check succeed,
            `comparison/`, which replaces an older one.
        log: of the run, see `resume.locked`.
        verbose: print all output instead of progress lines.

    Returns:
        The comparison's folder, and what check found wrong with the run; "" if nothing.

    Raises:
        UserError: another step failed, after which all others are stopped; the message is the step's if it printed one.
    """
    folder = job.folder
    output = OutputFilter(sys.stdout, log, verbose)
    with process.started(job, log) as lines:
        for line in lines:
            output.write(line)
            if output.failed:
                break
    steps = _only_folder(folder / "steps")
    made = steps / "compare" / "comparison" if steps else folder
    complete = (made / "results.json").is_file()
    checked = steps is not None and (steps / "check" / RECORD).is_file()
    problem = ""
    # kfp's runner can report success although a step's process was killed, and can be killed, so the results decide.
    if output.error or output.failed or not (complete and checked):
        problem = output.error or f"a step failed: the reason is at the end of {runs.short(folder / 'run.log')}"
    if problem and not (complete and output.task == "check"):
        raise UserError(problem)
    with files.new_folder(folder / "comparison") as new:
        made.rename(new)  # what is moved takes the place of an empty folder
    if not problem:
        with contextlib.suppress(OSError):  # it is not empty
            (folder / process.CHECKPOINTS).rmdir()
    return folder / "comparison", problem


def _job(arguments: argparse.Namespace) -> Job:
    settings = _settings(arguments)
    if arguments.resume:
        settings = replace(settings, run_started=files.timestamp(files.now()))
    in_containers = arguments.runner == "docker"
    images = containers.check([settings.data_image, settings.train_image]) if in_containers else {}
    given = (arguments.path, arguments.weights, arguments.external_test)
    return Job(
        folder=arguments.resume.resolve() if arguments.resume else runs.new_folder(arguments.output),
        parameters=_parameters(arguments),
        settings=settings,
        in_containers=in_containers,
        images=images,
        inputs=[str(Path(path).resolve()) for path in given if path and Path(path).exists()],
        gpus=arguments.gpus,
    )


def _record(arguments: argparse.Namespace, job: Job) -> None:
    """Writes what `--resume` needs to `run.json`, or that the run is continued."""
    images = {"data_image": job.settings.data_image, "train_image": job.settings.train_image}
    if arguments.resume:
        if job.in_containers:
            containers.stop(job.folder.name)  # those that outlived a command that was killed
        resume.begin(job.folder, job.settings.run_started, images)
        return
    own = {name: getattr(arguments, name) for name in resume.OPTIONS} | {"external_test": job.settings.external_test}
    # Neither the environment nor another working directory may send a continued run into another history.
    own |= {"tracking_uri": recording.resolved(own, arguments.output)}
    origin = {"identity": secrets.token_hex(16)} | images
    begun = {"graph": resume.GRAPH, "command": arguments.command, "confirming": arguments.confirming}
    content = {"parameters": job.parameters, "regimes": list(job.settings.regimes), "options": own, "origin": origin}
    files.write_json(job.folder / "run.json", content | begun)


def _check_alone(parser: argparse.ArgumentParser, given: set[str]) -> None:
    spelled = {action.dest: action.option_strings[0] for action in parser._actions}
    others = ", ".join(sorted(spelled[name] for name in given - {"resume", "verbose"}))
    if others:
        raise UserError(f"{others} cannot be given beside --resume, which takes the settings of the run: leave it out")


def _settings(arguments: argparse.Namespace) -> Settings:
    data, train = (reference(image, arguments.registry, arguments.tag) for image in images(gpu=arguments.gpus > 0))
    external = str(Path(arguments.external_test).resolve()) if arguments.external_test else ""
    return Settings(
        regimes=arguments.regimes,
        data_image=data,
        train_image=train,
        gpus=0,
        external_test=external,
        label_budgets=arguments.label_budgets,
        draws=arguments.draws,
    )


def _check(arguments: argparse.Namespace, given: set[str]) -> None:
    """Finds mistakes before the run that a step would find only minutes later."""
    for place in (arguments.path, arguments.weights, arguments.external_test, arguments.output):
        console.check_name(place)
    values = vars(arguments)
    options.check({name: values[name] for name in PIPELINE}, given & PIPELINE.keys(), options.option)
    recording.check(values, arguments.output)
    for name in ("registry", "tag", "gpus"):
        if name in given and arguments.runner != "docker":
            raise UserError(f"--{name} has no effect without containers: it needs --runner docker; or omit it")
    if arguments.path and arguments.source != "kaggle" and not Path(arguments.path).exists():
        raise UserError(f"there is no folder or file {arguments.path}: check --path")
    if arguments.external_test and not Path(arguments.external_test).exists():
        raise UserError(f"there is no folder {arguments.external_test}: check --external-test")
    if arguments.weights not in WEIGHTS and not Path(arguments.weights).is_file():
        raise UserError(f"there is no weights file {arguments.weights}: give --weights a path or {', '.join(WEIGHTS)}")


def _parameters(arguments: argparse.Namespace) -> dict[str, Any]:
    """The parameters of the pipeline from those of the command line."""
    taken = {name: getattr(arguments, name) for name in PIPELINE}
    # The steps have other working directories.
    if arguments.path and arguments.source != "kaggle":
        taken["path"] = str(Path(arguments.path).resolve())
    if arguments.weights not in WEIGHTS:
        taken["weights"] = str(Path(arguments.weights).resolve())
    return taken


def _point_to_latest(link: Path, folder: Path) -> None:
    """Points the link to the latest run; where that is impossible prints so, since the run itself has succeeded."""
    try:
        runs.point_to(link, folder)
    except (OSError, UserError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        print(f"there is no link {runs.short(link)} to this run ({reason}): give the run's folder where you need it")


def _only_folder(folder: Path) -> Path | None:
    below = [path for path in folder.iterdir() if path.is_dir()] if folder.is_dir() else []
    return below[0] if below else None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pipelines.local",
        description="Runs the benchmark on this machine: ingest, preprocess, four trainings, evaluation, comparison.",
        epilog="""examples:
  python -m pipelines.local --weights bundled
      everything on simulated radiographs, with the small pre-trained network that the project includes
  python -m pipelines.local --source directory --path ~/chest_xray --image-size 128
      your images, the networks pre-trained on ImageNet (downloaded once)
  python -m pipelines.local --source kaggle
      Kaggle's "Chest X-Ray Images (Pneumonia)"; also pneumoniamnist, gs://, s3:// and https://
  python -m pipelines.local --regimes custom_cnn transfer_learning --epochs 5
      two of the four regimes
  make images; python -m pipelines.local --runner docker --weights bundled
      every step in its container, as on a cluster

exit codes: 0 all regimes were trained and compared, 1 the report is written but some regimes could not be trained,
2 a mistake or a failed step, 4 an alarm about a recorded run (--on-regression fail), 130 stopped; after 1, 2 and 130
--resume continues the run""",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument

    options.add_options(parser, PIPELINE.items())
    add("--external-test", default="", metavar="PATH", help="folder of an external test set, of other patients")
    add("--regimes", nargs="+", choices=REGIMES, default=list(REGIMES), metavar="NAME", help="; ".join(REGIMES))
    add("--runner", choices=("subprocess", "docker"), default="subprocess", help="of the steps; default: %(default)s")
    add("--registry", default="", help="registry of the images, for --runner docker; default: images on this machine")
    add("--tag", default="", help="tag of the images; default: version and a hash of what is in each")
    add(
        "--gpus", type=options.number(Range(0)), default=0, metavar="N", help="GPUs per container; default: %(default)s"
    )
    add("--output", type=Path, default=Path("runs"), metavar="DIR", help="folder of all runs; default: %(default)s")
    recording.add_options(parser)
    add("--resume", type=Path, metavar="RUN", help="continue this run's folder: what has finished is not made again")
    add("--verbose", action="store_true", help="print all output")
    return parser
