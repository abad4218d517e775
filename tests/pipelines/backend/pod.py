"""Where a step runs: folders of its own, and a process that may do no more than in a pod."""

import functools
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.pipelines.backend import bootstrap
from tests.pipelines.backend.metadata import ARGUMENT_BYTES, RefusedError
from tests.pipelines.backend.store import SCHEME

PROJECT = Path(__file__).resolve().parents[3]
USER = 65532
"""The user of the container images."""

_SECONDS = 900


class Pod:
    """One step's folders.

    On this machine they lie below a folder of the pod:

    - `minio/`: artifacts, on a cluster `/minio/`.
    - `tmp/`: the one folder that the step can write to besides.
    - `work/`: where it starts, and `home/`; it can write to neither.
    - `bin/`: the `python3` that its command finds.
    """

    def __init__(self, folder: Path):
        self._folder = folder
        for name in ("minio", "tmp", "bin", "work", "home"):
            (folder / name).mkdir(parents=True)
        self.prefix = f"{folder / 'minio'}/"
        python = folder / "bin" / "python3"
        python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{bootstrap.__file__}" "{self.prefix}" "$@"\n')
        python.chmod(0o755)
        for name in ("work", "home"):
            (folder / name).chmod(0o555)

    def local(self, uri: str) -> Path:
        """Where an artifact lies in this pod."""
        return Path(self.prefix + uri.removeprefix(SCHEME))

    def run(self, words: list[str], variables: dict[str, str], log: Path) -> int:
        """Runs a command without privileges.

        Args:
            words: command and arguments.
            variables: environment variables of the container.
            log: file for what it prints.

        Returns:
            Its exit code.

        Raises:
            RefusedError: an argument is longer than Linux takes.
        """
        if any(len(word.encode()) >= ARGUMENT_BYTES for word in words):
            raise RefusedError(f"fork/exec {words[0]}: argument list too long")
        environment = {
            "PATH": f"{self._folder / 'bin'}:/usr/local/bin:/usr/bin:/bin",
            "PYTHONPATH": str(PROJECT),
            "PYTHONDONTWRITEBYTECODE": "1",
            "HOME": str(self._folder / "home"),
            "TMPDIR": str(self._folder / "tmp"),
            # As in the image; without it Keras leaves files in this machine's /tmp.
            "KERAS_HOME": str(self._folder / "tmp" / "keras"),
            "TF_CPP_MIN_LOG_LEVEL": "2",
            **variables,
        }
        self._hand_over()
        with log.open("wb") as output:
            done = subprocess.run(
                [*_unprivileged(self._folder), *words],
                cwd=self._folder / "work",
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=_SECONDS,
                check=False,
            )
        return done.returncode

    def protect(self, path: Path) -> None:
        """Makes a file or a whole folder read-only."""
        for below in [*path.rglob("*"), path]:
            if below.exists():
                below.chmod(0o555 if below.is_dir() else 0o444)

    def remove(self) -> None:
        """Removes the pod's folders, read-only ones too."""
        remove(self._folder)

    def _hand_over(self) -> None:
        """Gives the user whatever it may write to."""
        if os.geteuid() != 0:
            return
        for name in ("minio", "tmp"):
            top = self._folder / name
            for path in [top, *top.rglob("*")]:
                if path.stat().st_mode & stat.S_IWUSR:
                    os.chown(path, USER, USER)


def remove(folder: Path) -> None:
    """Removes a folder in which folders may be read-only."""
    for below in [folder, *folder.rglob("*")]:
        if below.is_dir() and not below.is_symlink():
            below.chmod(0o755)
    shutil.rmtree(folder)


@functools.cache
def _unprivileged(folder: Path) -> tuple[str, ...]:
    """The words before a command that take root's privileges away; none for other users, who have none.

    Where other users cannot enter the folder of Python or of the project, the process may still read everything.
    What it may write is not changed by that.
    """
    if os.geteuid() != 0:
        return ()
    python = Path(sys.executable)
    needed = (python, python.resolve(), Path(pytest.__file__), Path(bootstrap.__file__), folder / "bin" / "python3")
    kept = "" if all(map(_open_to_all, needed)) else ",+dac_read_search"
    words = ("setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", "--no-new-privs")
    words += tuple(f"--{kind}-caps=-all{kept}" for kind in ("inh", "ambient"))
    words += (f"--bounding-set=-all{kept}",)
    try:
        tried = subprocess.run([*words, "true"], capture_output=True, text=True, check=False)
        reason = (tried.stderr.strip() or "setpriv failed") if tried.returncode else ""
    except OSError as error:
        reason = str(error)
    if reason:
        pytest.skip(f"the tests run as root, and no step can be run as another user here: {reason}")
    return words


def _open_to_all(path: Path) -> bool:
    """Whether any user may read a file."""
    entered = all(above.stat().st_mode & stat.S_IXOTH for above in path.parents)
    return entered and bool(path.stat().st_mode & stat.S_IROTH)
