"""The images of all splits with simple statistics of their pixels, for comparisons of the data of two runs.

Preprocess writes the table into the dataset summary, and compare copies it into the comparison.
"""

import shutil
from pathlib import Path

import pandas as pd

from components.artifacts import files

KIND = "image table"
FILE = "images.csv"

STATISTICS = ("brightness", "contrast", "sharpness")
"""Of each prepared image: mean and standard deviation of its pixels from 0 to 1, and the mean difference between
neighbouring pixels relative to that standard deviation."""
COLUMNS = ("image", "split", "patient", "label", *STATISTICS)


def save(folder: Path, table: pd.DataFrame) -> None:
    """Writes the table, sorted by split and image, into a folder.

    Args:
        folder: of a dataset summary.
        table: a row per image with `COLUMNS`.
    """
    ordered = table.loc[:, list(COLUMNS)].sort_values(["split", "image"], kind="stable")
    ordered.to_csv(folder / FILE, index=False, float_format="%.6g")


def copy(source: Path, target: Path) -> None:
    """Copies the table from one folder to another, if there is one: summaries of earlier versions have none."""
    if (source / FILE).is_file():
        shutil.copyfile(source / FILE, target / FILE)


def load(folder: str | Path) -> pd.DataFrame | None:
    """Reads the table of a comparison, a row per image with `COLUMNS`; None for a comparison that has none.

    Raises:
        UserError: it is damaged.
    """
    if not (Path(folder) / FILE).is_file():
        return None
    return files.read_table(Path(folder) / FILE, KIND, list(COLUMNS))
