"""Conversion of values to metadata of a Kubeflow artifact; every step passes its metadata through `storable`."""

import math
from collections.abc import Mapping
from typing import Any


def storable(values: Mapping[str, Any]) -> dict[str, Any]:
    """Removes values that Kubeflow cannot store as metadata.

    A task whose metadata contain `None`, NaN or an infinity fails after its work is done: the metadata store of
    Kubeflow Pipelines accepts strings, finite numbers, booleans, and lists and dictionaries of these.

    Args:
        values: by name; numpy scalars and arrays are converted to Python numbers and lists.

    Returns:
        The values without entries, also of nested lists and dictionaries, that are `None` or not finite.

    Raises:
        TypeError: a value is of another type; the message names it.
    """
    return {str(name): _plain(name, value) for name, value in values.items() if _is_known(value)}


def _is_known(value: Any) -> bool:
    value = _python(value)
    return value is not None and not (isinstance(value, float) and not math.isfinite(value))


def _python(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else value


def _plain(name: str, value: Any) -> Any:
    value = _python(value)
    if isinstance(value, Mapping):
        return storable(value)
    if isinstance(value, list | tuple):
        return [_plain(name, item) for item in value if _is_known(item)]
    if isinstance(value, str | bool | int | float):
        return value
    raise TypeError(f"the metadata {name!r} are of {type(value).__name__}, which Kubeflow cannot store")
