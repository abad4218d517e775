"""The images of all splits with simple statistics of their pixels, as part of a comparison. Written by compare."""

from pathlib import Path

import pandas as pd

from components.artifacts import files

KIND = "image table"
FILE = "images.csv"

STATISTICS = ("brightness", "contrast", "sharpness")
"""Of each prepared image: mean and standard deviation of its pixels from 0 to 1, and the mean difference between
neighbouring pixels relative to that standard deviation."""
COLUMNS = ("image", "split", "patient", "label", *STATISTICS)


def load(folder: str | Path) -> pd.DataFrame | None:
    """Reads the table of a comparison, a row per image with `COLUMNS`; None for a comparison that has none.

    Raises:
        UserError: it is damaged.
    """
    if not (Path(folder) / FILE).is_file():
        return None
    return files.read_table(Path(folder) / FILE, KIND, list(COLUMNS))
