"""Finds the images of a dataset that comes with a table of paths and labels instead of class folders."""

from pathlib import Path

import pandas as pd

from components.artifacts.names import CLASSES
from components.console import UserError
from components.ingest.archives import MAX_FILES
from components.ingest.layout import SPLIT_NAMES, Found, dataset_root
from components.ingest.paths import UnsafeNameError, printable, safe_path

TABLE = "labels.csv"
COLUMNS = {
    "image": ("image", "path", "file", "filename"),
    "label": ("label", "class", "target"),
    "split": ("split",),
    "patient": ("patient", "patient_id"),
}
"""What a column may be called; capitals do not matter. Split and patient may be missing."""
_LABELS = {"0": "NORMAL", "1": "PNEUMONIA"} | {label: label for label in CLASSES}


def table_of(place: Path) -> Path | None:
    """The table of a dataset: the place itself, or `labels.csv` in it or further down to its root; None without one."""
    if place.is_file():
        return place
    root = dataset_root(place)
    folders = [folder for folder in (root, *root.parents) if folder.is_relative_to(place)]
    return next((folder / TABLE for folder in reversed(folders) if (folder / TABLE).is_file()), None)


def read_labels(table: Path) -> list[Found]:
    """Lists the images of a table, ordered by name.

    Args:
        table: a CSV file, separated by commas or semicolons, with a header; see `COLUMNS`. Paths are relative to its
            folder. Labels are NORMAL and PNEUMONIA or 0 and 1; splits are named as folders are.

    Raises:
        UserError: a column is missing, or a row cannot be used; the message names the row.
    """
    rows = _read(table)
    found, seen = [], {}
    for number, row in enumerate(rows.to_dict("records"), start=2):
        item = _found(table, number, row)
        if item.image in seen:
            raise UserError(f"{table}: rows {seen[item.image]} and {number} are both of {printable(item.image)}")
        seen[item.image] = number
        found.append(item)
    for label in CLASSES:
        if not any(item.label == label for item in found):
            raise UserError(f"{table} lists no images of the class {label}: add some")
    if any(item.split for item in found) and not all(item.split for item in found):
        raise UserError(f"{table} gives some images a split and others none: fill the column, or leave it out")
    return sorted(found, key=lambda item: item.image)


def _read(table: Path) -> pd.DataFrame:
    """The table as text, its columns called as in `COLUMNS`."""
    try:
        with table.open(encoding="utf-8-sig") as file:
            header = file.readline(10_000)
        separator = ";" if header.count(";") > header.count(",") else ","
        rows = pd.read_csv(
            table, dtype=str, keep_default_na=False, sep=separator, encoding="utf-8-sig", nrows=MAX_FILES + 1
        )
    except ValueError as error:  # also what pandas raises for no table, and Python for no UTF-8
        raise UserError(f"{table} is no CSV table in UTF-8 ({printable(str(error))}): save it as one") from None
    if len(rows) > MAX_FILES:
        raise UserError(f"{table} has more than {MAX_FILES} rows: split it up")
    names = {str(column).strip().lower(): column for column in reversed(rows.columns)}
    chosen = {}
    for column, spellings in COLUMNS.items():
        spelling = next((name for name in spellings if name in names), None)
        if spelling:
            chosen[column] = rows[names[spelling]].str.strip()
        elif column in ("image", "label"):
            raise UserError(f"{table} has no column {column}: call one {' or '.join(spellings)}")
    return pd.DataFrame(chosen).reindex(columns=list(COLUMNS), fill_value="")


def _found(table: Path, number: int, row: dict[str, str]) -> Found:
    """One row; `number` is its line in the file, as long as no cell holds a line break."""
    shown = f"{table}, row {number}"
    try:
        path = safe_path(row["image"])
    except UnsafeNameError as error:
        raise UserError(
            f"{shown}: {printable(row['image'])} {error}: give paths relative to the table, below its folder"
        ) from None
    if not path.parts:
        raise UserError(f"{shown} names no image: fill it in, or delete the row")
    label, split = _LABELS.get(row["label"].upper()), row["split"].lower()
    if label is None:
        raise UserError(f"{shown} has the label {printable(row['label'])!r}: use NORMAL and PNEUMONIA, or 0 and 1")
    if split and split not in SPLIT_NAMES:
        raise UserError(f"{shown} has the split {printable(row['split'])!r}: use train, validation or test")
    return Found(table.parent / path, str(path), label, SPLIT_NAMES.get(split, ""), row["patient"])
