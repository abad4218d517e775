"""What the gate found about a run, as it is stored with the run."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

QUALITY, TIME, MEMORY, DATA = "quality", "time", "memory", "data"
CHARTS = (QUALITY, TIME, MEMORY, DATA)
"""What is watched."""


@dataclass(frozen=True)
class Alarm:
    """A change for the worse that is shown.

    Attributes:
        chart: one of `CHARTS`.
        regime: that it is of; "" for the data.
        reason: a sentence with the figures.
    """

    chart: str
    regime: str
    reason: str

    @property
    def pair(self) -> tuple[str, str]:
        """By which it is the same alarm in another run."""
        return self.chart, self.regime


@dataclass(frozen=True)
class Verdict:
    """What the gate found about a run.

    Attributes:
        champion: id of the run that it was compared with; "" for the first one on its data.
        champion_name: its name.
        alarms: changes for the worse that are shown.
        warnings: sentences about what is not shown either way.
        notes: sentences about anything else, for example that the data changed.
        suspected: whether the alarms wait for a confirming run, so that nobody is told and nothing fails yet.
        promoted: whether the run became the champion of its data.
        quality: {regime: figures}, see `gate.quality`.
        cost: {regime: {"time" or "memory": figures}}, see `gate.cost`.
        data: figures of the comparison of the data; empty where the data did not change.
    """

    champion: str = ""
    champion_name: str = ""
    alarms: tuple[Alarm, ...] = ()
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    suspected: bool = False
    promoted: bool = False
    quality: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    cost: Mapping[str, Mapping[str, Mapping[str, Any]]] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> str:
        """As text."""
        return json.dumps(asdict(self), allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> "Verdict":
        """From text that `to_json` wrote; fields that this version does not know are left out."""
        known = _known(cls, json.loads(text))
        for name in ("warnings", "notes"):
            known[name] = tuple(known.get(name, ()))
        return cls(**known | {"alarms": tuple(Alarm(**_known(Alarm, own)) for own in known.get("alarms", ()))})


def _known(of: type[Alarm] | type[Verdict], content: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that this version has."""
    return {name: value for name, value in content.items() if name in of.__dataclass_fields__}
