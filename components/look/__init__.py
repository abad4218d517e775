"""The look that all pages have in common: their style sheet `page.css`, and colours, markers and lines of regimes."""

from dataclasses import dataclass
from pathlib import Path

from components.artifacts.names import FLOOR

FOLDER = Path(__file__).parent
"""Of `page.css`."""

INK, MUTED, FAINT = "#1c2430", "#5b6675", "#d5dae1"


@dataclass(frozen=True)
class Look:
    """Colour, marker, line and hatch of a regime in every plot; the last three as matplotlib names them."""

    colour: str
    marker: str
    line: str | tuple[int, tuple[float, ...]]
    hatch: str


# Colours of Okabe and Ito (2008), which colour-blind readers can distinguish; darker than their yellow and sky blue,
# so that thin lines stay visible on white.
LOOKS = {
    "custom_cnn": Look("#0072b2", "o", "-", ""),
    "transfer_learning": Look("#d55e00", "s", "--", "///"),
    "partial_fine_tuning": Look("#009e73", "^", "-.", "..."),
    "full_fine_tuning": Look("#a8578a", "D", (0, (1, 1.2)), "xx"),
    FLOOR: Look("#5b6675", "X", (0, (5, 1, 1, 1)), ""),
}
