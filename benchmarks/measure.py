"""Tools of the benchmarks: run a step in a separate process, measure its time and memory, print tables."""

import os
import platform
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components import console
from components.artifacts import files
from components.console import UserError
from components.machine import cores

Word = str | Path | float
"""An argument of a command."""

PROJECT = Path(__file__).resolve().parent.parent

_LAUNCHER = """
import os, signal, sys, time
begun = time.perf_counter()
child = os.posix_spawn(sys.executable, [sys.executable, *sys.argv[2:]], os.environ)
signal.signal(signal.SIGINT, signal.SIG_IGN)
_, status, usage = os.wait4(child, 0)
print(sys.argv[1], time.perf_counter() - begun, usage.ru_maxrss, os.waitstatus_to_exitcode(status))
"""
# The peak memory of a process includes that of the process that started it, until it executes its own program. So the
# measured process is started by this small one (10 MB, less than any Python program needs).
_MARK = "\x1emeasured:"
"""Marks the launcher's line in the output of a process."""


@dataclass(frozen=True)
class Measurement:
    """Time and memory of a process.

    Attributes:
        seconds: wall time from its start to its end.
        peak_memory_mb: peak resident memory in MB (10^6 bytes), the largest of the process and its child processes.
        output: standard output and standard error.
    """

    seconds: float
    peak_memory_mb: float
    output: str


def run(
    arguments: Sequence[Word],
    on_line: Callable[[str], None] | None = None,
    environment: dict[str, str] | None = None,
) -> Measurement:
    """Runs Python in a fresh process and measures that process alone.

    Args:
        arguments: of Python, for example `["-m", "components.preprocess", ...]`; the packages of the project are found
            from any folder.
        on_line: called with every line that the process prints, while it runs.
        environment: further environment variables.

    Raises:
        UserError: the process failed; the message is that of the process, if it printed one.
    """
    words = [str(argument) for argument in arguments]
    paths = [str(PROJECT), *filter(None, [os.environ.get("PYTHONPATH")])]
    variables = {"TF_CPP_MIN_LOG_LEVEL": "2"} | os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
    command = [sys.executable, "-S", "-c", _LAUNCHER, _MARK, *words]
    with subprocess.Popen(  # noqa: S603 (the benchmarks' own commands)
        command,
        env=variables | (environment or {}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        output = report = ""
        for line in process.stdout or ():
            text, _, report = line.partition(_MARK)
            output += text
            if on_line and text:
                on_line(text.rstrip("\n"))
    seconds, peak, code = report.split()
    output = output.strip()
    if code != "0":
        _, found, message = output.rpartition(f"{console.PREFIX}error: ")
        why = message if found else (output.splitlines() or [f"exit code {code}"])[-1]
        name = words[1] if words[0] == "-m" else "a measured process"
        raise UserError(f"{name} failed: {why}")
    return Measurement(float(seconds), float(peak) * (1 if sys.platform == "darwin" else 1024) / 1e6, output)


def machine() -> dict[str, Any]:
    """The machine and the software of a measurement: cpu, cores, memory_gb, system, versions, date."""
    return {
        "cpu": _cpu_name(),
        "cores": cores(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "system": f"{platform.system()} {platform.release()}",
        "versions": files.versions(),
        "date": files.timestamp(files.now()),
    }


def _cpu_name() -> str:
    info = Path("/proc/cpuinfo")
    for line in info.read_text().splitlines() if info.is_file() else ():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def describe(facts: dict[str, Any]) -> str:
    """The result of `machine` in one line."""
    cores = f"{facts['cores']} core{'s' if facts['cores'] > 1 else ''}"
    return f"{facts['cpu']}, {cores}, {facts['memory_gb']:g} GB, {facts['date'][:10]}"


def write_json(path: str | Path, content: dict[str, Any]) -> None:
    """Writes the results of a benchmark together with the machine."""
    files.write_json(path, {"machine": machine()} | content)


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A text table whose first column is left-aligned, the others right-aligned."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    lines = [header, ["-" * width for width in widths], *rows]
    return "\n".join("  ".join([first.ljust(widths[0]), *map(str.rjust, rest, widths[1:])]) for first, *rest in lines)
