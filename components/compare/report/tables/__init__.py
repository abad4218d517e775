"""The content of every table: which numbers are in which row. How numbers look is defined in `report.formats`."""
