"""What the tests of the commands for a Kubeflow server share."""

from collections.abc import Iterable
from typing import Any

MONDAY = ("schedule", "--cron", "0 3 * * 1")
TUESDAY = ("schedule", "--cron", "0 3 * * 2")


def only(items: Any) -> Any:
    """The only item, or the only value of a dictionary."""
    values: Iterable = items.values() if isinstance(items, dict) else items
    (item,) = values
    return item


def change(yaml_file):
    """Changes the default of one parameter."""
    text = yaml_file.read_text()
    assert "defaultValue: 20.0" in text
    yaml_file.write_text(text.replace("defaultValue: 20.0", "defaultValue: 21.0"))
