"""What the launcher and the metadata store make of the metadata that a step writes."""

import json
from typing import Any

ARGUMENT_BYTES = 128 * 1024
"""Longest argument of a process on Linux, with the zero byte behind it (MAX_ARG_STRLEN)."""


class RefusedError(Exception):
    """The launcher refuses what a step wrote, or cannot start it; the message is the launcher's own where known."""


def read_output(text: str, path: str) -> dict[str, Any]:
    """Reads the file that kfp's executor writes, as the launcher's protobuf does.

    Args:
        text: the file's content.
        path: the file's path, for the message.

    Raises:
        RefusedError: it holds NaN or an infinity, which Python writes and JSON does not know.
    """

    def refuse(word: str) -> None:
        raise RefusedError(
            f'failed to unmarshall ExecutorOutput in file "{path}": proto: syntax error: invalid value {word}'
        )

    return json.loads(text, parse_constant=refuse)


def stored(metadata: dict[str, Any]) -> dict[str, Any]:
    """Metadata as the store gives them back: all numbers are doubles of six decimals, lists and dicts are wrapped.

    Null is refused as a value. Within a list or a dict it passes, as it does on a cluster.

    Raises:
        RefusedError: a value is null, or all of them are too long for the argument of a step that takes the artifact.
    """
    found = {name: _stored_value(value) for name, value in metadata.items()}
    size = len(json.dumps(found).encode())
    if size >= ARGUMENT_BYTES:
        raise RefusedError(f"metadata of {size} bytes: one argument of at most {ARGUMENT_BYTES} bytes is to hold them")
    return found


def _stored_value(value: Any) -> Any:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int | float):
        return as_double(float(f"{value:.6f}"))
    if isinstance(value, list):
        return {"list": as_double(value)}
    if isinstance(value, dict):
        return {"struct": as_double(value)}
    raise RefusedError(
        "failed to convert RuntimeArtifact to MLMD artifact: unknown/unsupported value type *structpb.Value_NullValue"
    )


def as_double(value: Any) -> Any:
    """A value as protobuf's JSON prints it: numbers are doubles, of which whole ones have no decimal point."""
    if isinstance(value, dict):
        return {name: as_double(entry) for name, entry in value.items()}
    if isinstance(value, list):
        return [as_double(entry) for entry in value]
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    double = float(value)
    return int(double) if double.is_integer() else double
