"""Imports a dataset from a source as a raw dataset artifact; `ingest` is the entry point."""

import contextlib
import hashlib
import os
import tempfile
from collections import Counter, deque
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd

from components import console, machine
from components.artifacts import files, raw_dataset
from components.artifacts.names import CHARACTERISTICS, CLASSES
from components.artifacts.raw_dataset import QualityRecord, RefusedFile
from components.console import UserError
from components.imaging.dicom import is_dicom
from components.imaging.formats import MAX_BYTES, Picture, inspect
from components.ingest import quality
from components.ingest.labels import read_labels, table_of
from components.ingest.layout import Found, count_ignored, find_images, ignored_folders
from components.ingest.patients import KEY_VARIABLE, fingerprint_for_key, key_of, patient_of, pseudonym
from components.ingest.sources import open_source
from components.parameters import IngestParameters
from components.source_checks import shown_url

DICOM_SUFFIXES = (".dcm", ".dicom", ".ima")
AHEAD = 2
"""Files per core that are inspected ahead of the one to be stored next."""


def ingest(output: str | Path, parameters: IngestParameters) -> QualityRecord:
    """Imports a dataset and describes its quality.

    Args:
        output: the raw dataset's folder, made anew.
        parameters: where the images come from, and how many of its files may be unusable.

    Returns:
        The content of `quality.json`.

    Raises:
        UserError: the source is not available, too many of its files are unusable, or a class has no usable images.
    """
    started = files.now()
    arguments = asdict(parameters) | {"source": shown_url(parameters.source)}
    for place in (parameters.path, output):
        console.check_name(place)
    origin = open_source(parameters)
    with tempfile.TemporaryDirectory(prefix="ingest-") as workspace, files.new_folder(output) as folder:
        place = origin.fetch(Path(workspace))
        # Messages must not name the temporary workspace, which the user does not know.
        name = origin.description() if place.is_relative_to(workspace) else str(place)
        found, ignored, ignored_files = _find(place, name)
        manifest, unknown, refused = _store(found, folder)
        raw_dataset.check_refused(refused, len(found), parameters.max_bad_fraction)
        _check_classes(manifest, len(refused))
        report: QualityRecord = {
            **files.header(raw_dataset.KIND, started, arguments),
            "source": {"name": origin.name, "description": origin.description()},
            **quality.describe(manifest),
            "patient_unknown": unknown,
            "ignored_folders": ignored,
            "ignored_files": ignored_files,
            "refused": refused,
        }
        raw_dataset.save(folder, manifest, report)
    console.say("ingest", f"{len(manifest)} images of {report['patients']} patients, {len(refused)} files refused")
    return report


def _find(place: Path, name: str) -> tuple[list[Found], list[str], int]:
    """Finds the images of a folder, by its table of labels if it has one; returns ignored folders and files, too."""
    folders: list[str] = []
    table = table_of(place)
    if table:
        console.say("ingest", f"labels are read from {table.name}")
        found, files_ignored = read_labels(table, name if table == place else f"{table.relative_to(place)} in {name}")
    else:
        found, folders, files_ignored = find_images(place, name), ignored_folders(place), count_ignored(place)
    console.say("ingest", f"{len(found)} files found")
    if files_ignored:
        console.say("ingest", f"ignored {files_ignored} hidden files and files of operating systems")
    if folders:
        console.say("ingest", f"ignored folders that are not a class: {', '.join(folders)}")
    return found, folders, files_ignored


def _store(found: list[Found], folder: Path) -> tuple[pd.DataFrame, int, list[RefusedFile]]:
    """Stores the images in zips; returns the manifest, the number of images of unknown patients, and refused files."""
    rows: list[tuple[object, ...]] = []
    refused: list[RefusedFile] = []
    fingerprints: list[bytes] = []
    names: Counter[str] = Counter()
    unknown = 0
    progress = console.Progress("ingest", "files read", len(found))
    with raw_dataset.ImageWriter(folder) as writer, contextlib.closing(_inspected(found)) as files_read:
        for number, (item, file) in enumerate(zip(found, files_read, strict=True)):
            progress.reach(number + 1)
            if not file.picture:
                refused.append({"image": file.name, "reason": file.reason})
                continue
            names[file.name] += 1
            image = file.name if names[file.name] == 1 else _numbered(file.name, names[file.name])
            number_of_patient = item.patient or file.picture.patient_id
            patient, known = (number_of_patient, True) if number_of_patient else patient_of(image)
            unknown += not known
            if file.fingerprint:
                fingerprints.append(file.fingerprint)
            writer.add(image, file.picture.content)
            size = file.picture.width, file.picture.height
            groups = [file.picture.groups.get(name, "") for name in CHARACTERISTICS]
            rows.append((image, item.label, item.split, patient, file.sha256, *size, *groups, bool(number_of_patient)))
    manifest = pd.DataFrame(rows, columns=[*raw_dataset.MANIFEST_COLUMNS, *CHARACTERISTICS, "to_hash"])
    key = os.environ.get(KEY_VARIABLE, "").encode() or key_of(fingerprints)
    to_hash = manifest.pop("to_hash").astype(bool)
    manifest.loc[to_hash, "patient"] = [pseudonym(patient, key) for patient in manifest.loc[to_hash, "patient"]]
    return manifest, unknown, refused


@dataclass(frozen=True)
class _File:
    """One inspected file: its name in the dataset, and the picture or the reason for refusing it."""

    name: str
    picture: Picture | None = None
    reason: str = ""
    sha256: str = ""
    fingerprint: bytes = b""


def _inspected(found: list[Found]) -> Generator[_File]:
    """Inspects the files on all cores, in order, and only a few ahead of the one that is consumed."""
    cores = machine.cores()
    waiting: deque[Future[_File]] = deque()
    with ThreadPoolExecutor(cores) as pool:
        for item in found:
            waiting.append(pool.submit(_inspect, item))
            if len(waiting) > AHEAD * cores:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _inspect(item: Found) -> _File:
    """Inspects one file. The name of a DICOM file may contain a patient's name and is replaced by its checksum."""
    name, private = _printable(item.image), item.path.suffix.lower() in DICOM_SUFFIXES
    try:
        if item.path.stat().st_size > MAX_BYTES:
            raise ValueError(f"the file has more than {MAX_BYTES // 10**6} MB")
        content = item.path.read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        if private := private or is_dicom(content):
            name = "/".join(filter(None, (item.split, item.label, f"dicom-{digest[:16]}")))
        else:
            _check_name(item.image)
        picture = inspect(content)
    except (ValueError, OSError) as error:
        reason = f"cannot be read: {error.strerror}" if isinstance(error, OSError) else str(error)
        unread = private and not name.rpartition("/")[2].startswith("dicom-")
        return _File(f"{item.label}/a DICOM file" if unread else name, reason=reason)
    fingerprint = fingerprint_for_key(content) if private or item.patient else b""
    return _File(f"{name}.png" if is_dicom(content) else name, picture, sha256=digest, fingerprint=fingerprint)


def _numbered(name: str, number: int) -> str:
    """Appends a number to a name that already exists, as for byte-identical DICOM files."""
    stem, dot, suffix = name.rpartition(".")
    return f"{stem}-{number}{dot}{suffix}"


def _check_name(image: str) -> None:
    """Checks that a zip and a CSV table can contain a name.

    Raises:
        ValueError: with the reason.
    """
    try:
        image.encode()
    except UnicodeEncodeError:
        raise ValueError("the file's name is not valid UTF-8") from None
    if {"\r", "\n"} & set(image):
        raise ValueError("the file's name has a line break")


def _check_classes(manifest: pd.DataFrame, refused: int) -> None:
    """Checks that the dataset, and each split except validation, has usable images of both classes."""
    for name, rows in manifest.groupby("split"):
        split = str(name)
        for label in CLASSES:
            if split != "validation" and not (rows["label"] == label).any():
                place = f"the {split} split" if split else "the dataset"
                raise UserError(
                    f"{place} has no usable images of the class {label} ({refused} files were refused): "
                    f"add some, or check the folder {label}"
                )
    missing = set(CLASSES) - set(manifest["label"])
    if missing:
        raise UserError(f"no usable images of the class {min(missing)} ({refused} files were refused): add some")


def _printable(name: str) -> str:
    return name.encode("utf-8", "backslashreplace").decode()
