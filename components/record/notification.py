"""Tells people about an alarm: a short JSON to the address in `names.NOTIFY_VARIABLE`.

The address is a secret, since whoever knows it can write to the channel: no message has it.
"""

import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from components.console import Say
from components.tracking import names

SECONDS = 10.0
"""Time limit of an attempt."""

ATTEMPTS = 3
PAUSE = 1.0
"""Seconds before the second attempt; twice as many before the third."""

LARGEST = 3000
"""Characters of a message."""

_TEAMS = (".webhook.office.com", ".logic.azure.com", ".api.powerplatform.com")
"""How the hosts of Microsoft Teams end."""

_LOCAL = ("localhost", "127.0.0.1", "::1")


def notify(url: str, text: str, say: Say) -> bool:
    """Posts a message; whatever goes wrong is said in a line and costs nothing else.

    Args:
        url: https, or http on this machine.
        text: the message, in a few lines.
        say: prints a line.

    Returns:
        Whether it was taken.
    """
    try:
        return _notify(url, text, say)
    except Exception as error:  # its text may contain the address
        say(f"nobody was notified ({type(error).__name__}): check {names.NOTIFY_VARIABLE}")
        return False


def _notify(url: str, text: str, say: Say) -> bool:
    import requests  # noqa: PLC0415 (only for alarms)

    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    if not host or (parts.scheme != "https" and not (parts.scheme == "http" and host in _LOCAL)):
        say(f"nobody was notified: {names.NOTIFY_VARIABLE} is not an address that begins with https://")
        return False
    content, reason = payload(host, text[:LARGEST]), ""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            answer = requests.post(url, json=content, timeout=SECONDS, allow_redirects=False)
        except requests.RequestException as error:
            reason = type(error).__name__
        else:
            if answer.status_code < 300:
                say("an alarm, or its end, was sent to the address for notifications")
                return True
            reason = f"HTTP status {answer.status_code}"
            if answer.status_code < 500 and answer.status_code not in (408, 429):
                break
        if attempt < ATTEMPTS:
            time.sleep(PAUSE * attempt)
    say(f"nobody was notified ({reason}): check {names.NOTIFY_VARIABLE}")
    return False


def payload(host: str, text: str) -> Mapping[str, Any]:
    """The JSON of a message: for Microsoft Teams with an adaptive card, for all others, such as Slack, a text alone.

    Workflows of Teams take nothing but cards; Slack has attachments of another kind, so that it gets none.
    """
    if not host.endswith(_TEAMS):
        return {"text": text}
    first, *others = text.split("\n")
    blocks = [{"type": "TextBlock", "text": first, "weight": "Bolder", "wrap": True}]
    blocks += [{"type": "TextBlock", "text": line, "wrap": True} for line in others]
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": blocks,
    }
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "content": card}
    return {"type": "message", "text": text, "attachments": [attachment]}
