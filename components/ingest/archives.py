"""Unpacks zip and tar archives from untrusted sources; each member is checked before it is written.

Suspected attacks and damaged archives end the run: paths outside the folder, links, devices, decompression bombs,
colliding names, encrypted members, truncated archives. Unusable files (empty files, other formats, nested archives,
names that are not UTF-8) are unpacked like any other and refused later with a reason, as in a folder.
"""

import contextlib
import errno
import gzip
import io
import lzma
import os
import shutil
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO

from components import console
from components.console import UserError
from components.ingest.paths import UnsafeNameError, printable, safe_path

MAX_FILES = 500_000
"""Largest number of members; each takes an inode and some time, even an empty one."""
MAX_BYTES = 200 * 1024**3
"""Largest unpacked size, of an archive or a bucket; no public dataset of radiographs is larger."""
MAX_RATIO = 100
"""Largest compression ratio; that of images is near 1, that of decompression bombs 1,000 and more."""
HARMLESS_BYTES = 100 * 1024**2
"""Unpacked size up to which the compression ratio is not limited."""
MAX_DIRECTORY = 64 * 1024**2
"""Largest size in bytes of the central directory of a zip, which zipfile reads into memory at once."""
MAX_READ = 4 * 1024**2
"""Largest number of bytes that tarfile may read at once; it reads headers of any declared size into memory."""

_CHUNK = 1024**2
_BLOCK = 512  # bytes in a block of a tar
_ENCRYPTED = 0x1  # flag of a member of a zip
# For damaged archives the standard library's readers raise far more than their own exceptions (tests.fuzz tries it).
_DAMAGED = (
    *(zipfile.BadZipFile, tarfile.TarError, gzip.BadGzipFile, zlib.error, lzma.LZMAError),
    *(EOFError, NotImplementedError, RuntimeError, ValueError, KeyError, OverflowError, struct.error),
)


@dataclass(frozen=True)
class _Member:
    """One entry of an archive: `kind` is "file", "folder", or the reason to refuse it."""

    name: str
    kind: str
    open: Callable[[], IO[bytes]]


def kind_of(path: Path, name: str = "") -> str:
    """Detects the format of a file by its content: "zip", "npz", "tar", or "" for none of them.

    Raises:
        UserError: it is a damaged zip; the message calls it `name`, by default its file name.
    """
    with path.open("rb") as file:
        start = file.read(_BLOCK)
        if start.startswith((b"PK\3\4", b"PK\5\6")):
            return "npz" if _holds_arrays(path, name or path.name) else "zip"
        if start.startswith(b"\x1f\x8b"):
            file.seek(0)
            with contextlib.suppress(*_DAMAGED), gzip.open(file) as content:
                start = content.read(_BLOCK)
    return "tar" if start[257:262] == b"ustar" or _begins_old_tar(start) else ""


def _begins_old_tar(block: bytes) -> bool:
    """Whether a block is the header of a tar in the format before "ustar"."""
    with contextlib.suppress(tarfile.TarError):
        return bool(tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape"))
    return False


def _holds_arrays(path: Path, name: str) -> bool:
    """Whether a zip is an .npz file of NumPy."""
    with _damage_as_user_error(name), _open_zip(path) as archive:
        names = archive.namelist()
    return bool(names) and all(name.endswith(".npy") for name in names)


def unpack(archive: Path, folder: Path, name: str = "") -> None:
    """Unpacks a zip or tar (also .tar.gz) into a folder.

    Args:
        archive: the file; its format is detected by its content, not its name.
        folder: a new folder, which is removed again if the archive is refused.
        name: name of the archive in messages; by default its file name.

    Raises:
        UserError: it is not an archive, is damaged, or is unsafe; the message names the member.
        OSError: the disk is full.
    """
    name = name or archive.name
    kind = kind_of(archive, name)
    readers = {"zip": _zip_members, "npz": _zip_members, "tar": _tar_members}
    if kind not in readers:
        raise UserError(f"{name} is neither a zip nor a tar: give a .zip, .tar or .tar.gz of the images")
    folder.mkdir(parents=True)
    try:
        with _damage_as_user_error(name):
            _write(readers[kind](archive), archive.stat().st_size, folder, name)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _write(members: Iterator[_Member], packed: int, folder: Path, name: str) -> None:
    """Writes the members below the folder until a limit is exceeded."""
    limit = min(MAX_BYTES, max(HARMLESS_BYTES, MAX_RATIO * packed))
    written, last = 0, 0.0
    progress = console.Progress("ingest", f"MB of {name} unpacked", packed // 10**6)
    for count, member in enumerate(members, 1):
        if count > MAX_FILES:
            raise UserError(f"{name} contains more than {MAX_FILES} files, so nothing of it is used: split it up")
        target = folder / _checked(member, name)
        try:
            if member.kind == "folder":
                target.mkdir(parents=True, exist_ok=True)
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            with member.open() as source, target.open("xb") as file:
                while chunk := source.read(_CHUNK):
                    written += len(chunk)
                    if written > limit:
                        raise UserError(
                            f"{name} unpacks to more than {limit // 10**6} MB, which looks like an attack (a bomb), "
                            "so nothing of it is used: check its origin"
                        )
                    file.write(chunk)
        except (FileExistsError, NotADirectoryError, IsADirectoryError):
            shown = printable(member.name)
            raise UserError(f"{name} contains two files that would both become {shown}: rename one of them") from None
        except OSError as error:
            if error.errno != errno.ENAMETOOLONG:
                raise
            raise UserError(
                f"{name} contains a file with a name that is too long, {printable(member.name)}: shorten it"
            ) from None
        if written - last > _CHUNK:
            last = written
            progress.reach(min(written, packed) // 10**6)


def _checked(member: _Member, name: str) -> Path:
    """The path of a member below the folder.

    Raises:
        UserError: the member is unsafe.
    """
    shown = printable(member.name)
    try:
        path = safe_path(member.name)
    except UnsafeNameError as error:
        raise UserError(
            f"{name} contains {shown!r}, which {error}: that looks like an attack, so nothing of it is used"
        ) from None
    if member.kind not in ("file", "folder"):
        raise UserError(
            f"{name} contains {shown!r}, which {member.kind}: pack it again with plain files and folders only"
        )
    if member.kind == "file" and not path.parts:
        raise UserError(f"{name} contains a file without a name: pack it again")
    return Path(path)


def _open_zip(path: Path) -> zipfile.ZipFile:
    """Opens a zip, unless its central directory would fill the memory."""
    if _directory_bytes(path) > MAX_DIRECTORY:
        raise UserError(f"{path.name} contains far more than {MAX_FILES} files, so nothing of it is used: split it up")
    return zipfile.ZipFile(path)


def _directory_bytes(path: Path) -> int:
    """Size in bytes of the central directory of a zip, as declared by the records at its end."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 2**17))
        end = file.read()
    at = end.rfind(b"PK\5\6")
    at64 = end.rfind(b"PK\6\6", 0, max(at, 0))
    size = struct.unpack_from("<L", end, at + 12)[0] if at >= 0 and len(end) >= at + 16 else 0
    size64 = struct.unpack_from("<Q", end, at64 + 40)[0] if at64 >= 0 and len(end) >= at64 + 48 else 0
    return size64 if size == 0xFFFFFFFF else size


def _zip_members(path: Path) -> Iterator[_Member]:
    with _open_zip(path) as archive:
        for info in archive.infolist():
            yield _Member(info.filename, _zip_kind(info), partial(archive.open, info))


def _zip_kind(info: zipfile.ZipInfo) -> str:
    if info.flag_bits & _ENCRYPTED:
        return "needs a password"
    mode = info.external_attr >> 16
    if stat.S_ISLNK(mode):
        return "is a link"
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "is a device"
    # PowerShell 5 writes backslashes.
    return "folder" if info.filename.endswith(("/", "\\")) else "file"


def _tar_members(path: Path) -> Iterator[_Member]:
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        stream = _Bounded(gzip.GzipFile(fileobj=file) if packed else file)
        with tarfile.open(fileobj=stream, mode="r:", encoding="utf-8", errors="surrogateescape") as archive:
            while info := archive.next():
                yield _Member(info.name, _tar_kind(info), partial(_open_in_tar, archive, info))
                archive.members.clear()  # type: ignore[attr-defined]  # tarfile would keep them all
            # tarfile does not notice that an archive is truncated between two members.
            stream.seek(archive.offset)
            if stream.read(_BLOCK) != bytes(_BLOCK):
                raise tarfile.ReadError("no end mark")
            while stream.read(_CHUNK):
                pass  # so that gzip verifies its checksum


def _open_in_tar(archive: tarfile.TarFile, info: tarfile.TarInfo) -> IO[bytes]:
    file = archive.extractfile(info)
    if file is None:
        raise tarfile.ReadError("a file without content")
    return file


def _tar_kind(info: tarfile.TarInfo) -> str:
    if info.issym() or info.islnk():
        return "is a link"
    if info.isdir():
        return "folder"
    return "file" if info.isreg() else "is a device"


class _Bounded(io.RawIOBase):
    """A readable stream of which at most `MAX_READ` bytes can be read at once."""

    def __init__(self, stream: IO[bytes] | gzip.GzipFile):
        self._stream = stream

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Moves to a position."""
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        """The current position."""
        return self._stream.tell()

    def close(self) -> None:
        """Closes the stream."""
        self._stream.close()

    def read(self, size: int = -1) -> bytes:
        """Reads up to `size` bytes.

        Raises:
            tarfile.ReadError: `size` is negative or greater than `MAX_READ`.
        """
        if not 0 <= size <= MAX_READ:
            raise tarfile.ReadError("a header that is far too long")
        return self._stream.read(size)


@contextlib.contextmanager
def _damage_as_user_error(name: str) -> Iterator[None]:
    """Turns the readers' errors for damaged archives into a `UserError`."""
    try:
        yield
    except Exception as error:
        if not is_damage(error):
            raise
        raise UserError(f"{name} is damaged or truncated ({error}): download or pack it again") from None


def is_damage(error: Exception) -> bool:
    """Whether an error is due to the content of an archive, not to the disk or this code."""
    # bz2 and seeking to an invalid position raise OSError; errors of the disk have other numbers.
    return isinstance(error, _DAMAGED) or (isinstance(error, OSError) and error.errno in (None, errno.EINVAL))


def room_for(size: int, folder: Path) -> None:
    """Checks that the disk has room for `size` bytes.

    Raises:
        OSError: it does not (ENOSPC).
    """
    if shutil.disk_usage(folder).free < size:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))
