"""Object stores: all objects below a prefix, or a single archive.

`components.object_stores` lists and reads them in Google Cloud Storage and S3. Objects are cached by bucket, name and
version, so that an interrupted run resumes, a changed object is downloaded again, and concurrent runs are safe. The
folder of the run contains links to the cache.
"""

import errno
import gzip
import hashlib
import itertools
import secrets
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

from components import console
from components.console import UserError
from components.ingest.archives import MAX_BYTES, MAX_FILES, room_for
from components.ingest.cache import cache_folder, only_one
from components.ingest.paths import UnsafeNameError, printable, safe_path
from components.ingest.sources.directory import opened
from components.object_stores.store import Object, Store, open_bucket
from components.retries import TransientError, persist
from components.source_checks import check_bucket

PART = 16 * 1024**2
"""Bytes of an archive per request; an interrupted download resumes after the last part."""
ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".npz")


@dataclass(frozen=True)
class Bucket:
    """A prefix in a bucket of Google Cloud Storage (`gs`) or of an S3 store (`s3`)."""

    scheme: str
    bucket: str
    prefix: str

    @classmethod
    def of(cls, url: str) -> "Bucket":
        """Reads `gs://bucket/prefix` or `s3://bucket/prefix`.

        Raises:
            UserError: it is not such a URL.
        """
        found = check_bucket(url)
        return cls(found[1], found[2], found[3] or "")

    @property
    def name(self) -> str:
        """Name in the report."""
        return self.scheme

    def description(self) -> str:
        """Description of the data for the report."""
        return f"{self.scheme}://{self.bucket}/{self.prefix}"

    def fetch(self, workspace: Path) -> Path:
        """Downloads the objects, and unpacks them if they are an archive."""
        # Downloaded objects are cached, so that each attempt resumes where the last one stopped.
        found, is_archive = persist(lambda: self._load(workspace), partial(console.say, "ingest"))
        return opened(found, workspace, self.description()) if is_archive else found

    def _load(self, workspace: Path) -> tuple[Path, bool]:
        """Returns the archive in the cache and True, or a folder with links into the cache and False."""
        store = open_bucket(self.scheme, self.bucket)
        url = self.description()
        cache = cache_folder(workspace) / "objects"
        if self.prefix.lower().endswith(ARCHIVES) and (archive := store.find(self.prefix)):
            return _load_archive(store, archive, self._cached(cache, archive), url), True
        prefix = f"{self.prefix.rstrip('/')}/" if self.prefix.strip("/") else ""
        places = _places(store.below(prefix), prefix, url)
        if not places:
            raise UserError(f"{url} contains no objects: check the bucket and the prefix")
        files = {path: self._cached(cache, item) for path, item in places.items()}
        _load(store, [(item, files[path]) for path, item in places.items()], url)
        return _linked(files, workspace / "objects"), False

    def _cached(self, cache: Path, item: Object) -> Path:
        """Path of an object's content in the cache."""
        key = "\n".join((self.scheme, self.bucket, item.name, item.version, str(item.size)))
        digest = hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()
        return cache / digest[:2] / digest


def _places(items: Iterable[Object], prefix: str, url: str) -> dict[Path, Object]:
    """The path of each object below the folder of the run; empty objects that only mark folders are ignored.

    Raises:
        UserError: a name leads out of the folder, names collide, or there are too many objects or bytes.
    """
    places: dict[Path, Object] = {}
    size = 0
    items = list(itertools.islice(items, MAX_FILES + 1))
    if len(items) > MAX_FILES:
        raise UserError(f"{url} contains more than {MAX_FILES} objects: give a longer prefix")
    folders = {str(parent) for item in items for parent in PurePosixPath(item.name).parents}
    for item in items:
        shown = printable(item.name)
        # Some programs mark a folder by an empty object of the same name, with or without a slash.
        if not item.size and item.name in folders:
            continue
        if item.name.endswith("/") and not item.size:
            continue
        try:
            # A key is not a path: "data//train" has an empty part, which changes nothing.
            path = Path(safe_path(item.name.removeprefix(prefix).lstrip("/")))
        except UnsafeNameError as error:
            raise UserError(
                f"{url} contains {shown!r}, which {error}: that looks like an attack, so nothing is used"
            ) from None
        if not path.parts or item.name.endswith("/"):
            raise UserError(f"{url} contains {shown!r}, which does not name a file: rename or delete it")
        if path in places:
            raise UserError(
                f"{url} contains {shown!r} and {printable(places[path].name)!r}, which are the same file here"
            )
        places[path] = item
        size += item.size
        if size > MAX_BYTES:
            raise UserError(f"{url} contains more than {MAX_BYTES // 10**6} MB: give a longer prefix")
    for path in places:
        if clash := next((parent for parent in path.parents if parent in places), None):
            raise UserError(f"{url} contains {printable(str(clash))!r} as a file and as a folder: rename one of them")
    return places


def _load(store: Store, wanted: list[tuple[Object, Path]], url: str) -> None:
    """Downloads the objects that are not in the cache yet."""
    missing = [(item, path) for item, path in wanted if not path.is_file()]
    have = len(wanted) - len(missing)
    if have:
        console.say("ingest", f"{have} of {len(wanted)} files of {url} are in the cache")
    if not missing:
        return
    room = sum(item.size for item, _ in missing)
    progress = console.Progress("ingest", f"files downloaded from {url}", len(wanted))
    done = itertools.count(have + 1)
    partial = {path.with_name(f"{path.name}.{secrets.token_hex(4)}.partial"): (item, path) for item, path in missing}
    for path in partial:
        path.parent.mkdir(parents=True, exist_ok=True)
    room_for(room, missing[0][1].parent)

    def take(path: Path) -> None:
        item, target = partial[path]
        if path.stat().st_size != item.size:
            raise TransientError(f"{printable(item.name)} of {url} has another size than announced: run again")
        _unpack_gzip(path, item.name)
        path.replace(target)
        progress.reach(next(done))

    try:
        store.save([(item, path) for path, (item, _) in partial.items()], take)
    finally:
        for path in partial:
            path.unlink(missing_ok=True)


def _load_archive(store: Store, item: Object, target: Path, url: str) -> Path:
    """Downloads one large object part by part, and resumes after the parts downloaded before."""
    folder = target.with_suffix(".parts")
    with only_one(folder):
        partial = folder / "partial"
        if not target.is_file():
            _append_parts(store, item, partial, url)
            _unpack_gzip(partial, item.name)
            partial.replace(target)
    return target


def _append_parts(store: Store, item: Object, partial: Path, url: str) -> None:
    if item.size > MAX_BYTES:
        raise UserError(f"{url} has more than {MAX_BYTES // 10**6} MB: split it up")
    done = partial.stat().st_size if partial.is_file() else 0
    if done > item.size:
        done = 0
        partial.unlink()
    if done:
        console.say("ingest", f"{url}: resuming after {done / 1e6:.1f} MB")
    room_for(item.size - done, partial.parent)
    progress = console.Progress("ingest", f"MB downloaded from {url}", item.size // 10**6)
    with partial.open("ab") as file:
        for start, end in _parts(done, item.size):
            content = store.read(item, start, end)
            if len(content) != end - start:
                raise TransientError(f"{url} is shorter than announced: run again")
            file.write(content)
            progress.reach(end // 10**6)


def _unpack_gzip(path: Path, name: str) -> None:
    """Decompresses a file that is stored compressed (with the Content-Encoding gzip).

    Objects are downloaded as stored, so that their sizes and checksums are those that the store reports. Compression is
    detected by the content, since some stores report no encoding or a wrong one.

    Args:
        path: path of the file, which is replaced.
        name: name of the object; one that is named as a gzip file stays compressed.

    Raises:
        UserError: it is damaged, or larger than a dataset may be.
    """
    with path.open("rb") as file:
        if file.read(2) != b"\x1f\x8b" or name.lower().endswith((".gz", ".tgz")):
            return
    unpacked = path.with_name(f"{path.name}.unpacked")
    size = 0
    try:
        with gzip.open(path) as source, unpacked.open("wb") as target:
            while piece := source.read(2**20):
                size += len(piece)
                if size > MAX_BYTES:
                    raise UserError(f"{printable(name)} unpacks to more than {MAX_BYTES // 10**6} MB: split it up")
                target.write(piece)
        unpacked.replace(path)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise UserError(f"{printable(name)} is stored as gzip and damaged ({error}): upload it again") from None
    finally:
        unpacked.unlink(missing_ok=True)


def _parts(start: int, end: int) -> Iterator[tuple[int, int]]:
    return ((at, min(at + PART, end)) for at in range(start, end, PART))


def _linked(files: dict[Path, Path], folder: Path) -> Path:
    """Creates a folder with links to the files under their own names."""
    for path, file in files.items():
        place = folder / path
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(file)
        except (FileExistsError, NotADirectoryError):
            raise UserError(f"two objects would both become {printable(str(path))} here: rename one of them") from None
        except OSError as error:
            if error.errno != errno.ENAMETOOLONG:
                raise
            raise UserError(f"the name of the object {printable(str(path))} is too long: rename it") from None
    return folder
