"""Finds the images of a dataset with a table of paths and labels instead of class folders."""

import csv
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import IO

from components.artifacts.names import CLASSES
from components.console import UserError
from components.ingest.archives import MAX_FILES
from components.ingest.layout import SPLIT_NAMES, Found, dataset_root
from components.ingest.paths import UnsafeNameError, is_ignored, printable, safe_path

TABLE = "labels.csv"
COLUMNS = {
    "image": ("image", "path", "file", "filename"),
    "label": ("label", "class", "target"),
    "split": ("split",),
    "patient": ("patient", "patient_id"),
}
"""Accepted names of each column, case-insensitive. Split and patient are optional."""
SEPARATORS = (",", ";", "\t", "|")
_LABELS = {"0": "NORMAL", "1": "PNEUMONIA"} | {label: label for label in CLASSES}


def table_of(place: Path) -> Path | None:
    """The table of a dataset: the file itself, or the topmost `labels.csv` down to its root; None without a table."""
    if place.is_file():
        return place
    root = dataset_root(place)
    folders = [folder for folder in (root, *root.parents) if folder.is_relative_to(place)]
    return next((folder / TABLE for folder in reversed(folders) if (folder / TABLE).is_file()), None)


def read_labels(table: Path, name: str = "") -> tuple[list[Found], int]:
    """Lists the images of a table, ordered by name.

    Args:
        table: a CSV file with a header, see `COLUMNS`. Its separator is one of `SEPARATORS`, or the one in the first
            line that Excel writes (`sep=;`). Paths are relative to its folder. Labels are NORMAL and PNEUMONIA or 0 and
            1; splits have the same names as folders.
        name: name of the table in messages; by default its path.

    Returns:
        The images, and the number of ignored rows, which name hidden files or files of operating systems.

    Raises:
        UserError: a column is missing, or a row is invalid; the message names the row.
    """
    name = name or str(table)
    found: list[Found] = []
    seen: dict[str, int] = {}
    ignored = 0
    for count, (number, row) in enumerate(_rows(table, name), 1):
        if count > MAX_FILES:
            raise UserError(f"{name} has more than {MAX_FILES} rows: split it up")
        item = _found(table, f"{name}, row {number}", row)
        if is_ignored(item.path.name):
            ignored += 1
            continue
        if item.image in seen:
            raise UserError(
                f"{name}: rows {seen[item.image]} and {number} both name {printable(item.image)}: remove one"
            )
        seen[item.image] = number
        found.append(item)
    for label in CLASSES:
        if not any(item.label == label for item in found):
            raise UserError(f"{name} lists no images of the class {label}: add some")
    if any(item.split for item in found) and not all(item.split for item in found):
        raise UserError(f"{name} has a split for some images only: fill the column, or remove it")
    return sorted(found, key=lambda item: item.image), ignored


def _rows(table: Path, name: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Yields line number and cells (by the names in `COLUMNS`) of each row that is not empty."""
    try:
        with table.open(encoding="utf-8-sig", newline="") as file:
            skipped, separator = _separator(file)
            file.seek(0)
            reader = csv.reader(islice(file, skipped, None), delimiter=separator, skipinitialspace=True, strict=True)
            header = next(reader, [])
            if not any(header):
                raise UserError(f"{name} is not a CSV table in UTF-8 (its first line is empty): save it as one")
            columns = _columns(header, name)
            for cells in reader:
                number = skipped + reader.line_num
                if any(cells[len(header) :]):
                    raise UserError(
                        f"{name}, row {number} has {len(cells)} cells, but the table has {len(header)} columns: quote "
                        f"cells that contain {separator!r}"
                    )
                if any(cells):
                    found = {column: cells[place].strip() for column, place in columns.items() if place < len(cells)}
                    yield number, dict.fromkeys(COLUMNS, "") | found
    except (ValueError, csv.Error) as error:  # ValueError: not UTF-8
        raise UserError(f"{name} is not a CSV table in UTF-8 ({printable(str(error))}): save it as one") from None


def _separator(file: IO[str]) -> tuple[int, str]:
    """Number of lines before the header, and the separator of cells."""
    first = file.readline(10_000)
    told = first.strip('\r\n"').lower()
    if told.startswith("sep=") and len(told) == len("sep=") + 1:
        return 1, told[-1]
    # The separator that yields the required columns, else the most frequent one, which gives the most useful message.
    fitting = [mark for mark in SEPARATORS if _places(first.split(mark)).keys() >= {"image", "label"}]
    return 0, fitting[0] if fitting else max(SEPARATORS, key=first.count)


def _columns(header: list[str], name: str) -> dict[str, int]:
    """Position of each column of `COLUMNS` that the table has.

    Raises:
        UserError: a required column is missing.
    """
    places = _places(header)
    for column in ("image", "label"):
        if column not in places:
            raise UserError(f"{name} has no column {column}: name one column {' or '.join(COLUMNS[column])}")
    return places


def _places(header: list[str]) -> dict[str, int]:
    """Position of each column of `COLUMNS` that a header has."""
    names = [cell.strip().strip('"').strip().lower() for cell in header]
    spellings = {column: next((name for name in known if name in names), None) for column, known in COLUMNS.items()}
    return {column: names.index(spelling) for column, spelling in spellings.items() if spelling}


def _found(table: Path, shown: str, row: dict[str, str]) -> Found:
    """Converts one row, called `shown` in messages."""
    try:
        path = safe_path(row["image"])
    except UnsafeNameError as error:
        raise UserError(
            f"{shown}: {printable(row['image'])} {error}: give paths relative to the table, below its folder"
        ) from None
    if not path.parts:
        raise UserError(f"{shown} does not name an image: fill it in, or delete the row")
    label, split = _LABELS.get(row["label"].upper()), row["split"].lower()
    if label is None:
        raise UserError(f"{shown} has the label {printable(row['label'])!r}: use NORMAL and PNEUMONIA, or 0 and 1")
    if split and split not in SPLIT_NAMES:
        raise UserError(f"{shown} has the split {printable(row['split'])!r}: use train, validation or test")
    return Found(table.parent / path, str(path), label, SPLIT_NAMES.get(split, ""), row["patient"])
