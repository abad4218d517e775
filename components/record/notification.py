"""Tells people about an alarm: a short JSON to the address in `names.NOTIFY_VARIABLE`.

The address is a secret, since whoever knows it can write to the channel: no message has it.
"""

import html
import queue
import threading
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
            status = _post(url, content)
        except (requests.RequestException, TimeoutError) as error:
            reason = type(error).__name__
        else:
            if status < 300:
                say("an alarm, or its end, was sent to the address for notifications")
                return True
            reason = f"HTTP status {status}"
            if status < 500 and status not in (408, 429):
                break
        if attempt < ATTEMPTS:
            time.sleep(PAUSE * attempt)
    say(f"nobody was notified ({reason}): check {names.NOTIFY_VARIABLE}")
    return False


def _post(url: str, content: Mapping[str, Any]) -> int:
    """Posts once; gives the status of the answer, of which nothing else is read.

    The time limit of `requests` is for each part of an answer, and a slow server sends many; so a thread is waited for.

    Raises:
        TimeoutError: there is no status after `SECONDS`.
    """
    import requests  # noqa: PLC0415 (only for alarms)

    found: queue.SimpleQueue[int | Exception] = queue.SimpleQueue()

    def post() -> None:
        try:
            with requests.post(url, json=content, timeout=SECONDS, allow_redirects=False, stream=True) as answer:
                found.put(answer.status_code)
        except Exception as error:  # a thread prints it otherwise, with the address
            found.put(error)

    threading.Thread(target=post, daemon=True).start()
    try:
        status = found.get(timeout=SECONDS)
    except queue.Empty:
        raise TimeoutError from None
    if isinstance(status, Exception):
        raise status
    return status


def payload(host: str, text: str) -> Mapping[str, Any]:
    """The JSON of a message: for Microsoft Teams with an adaptive card, for all others, such as Slack, a text alone.

    Workflows of Teams take nothing but cards; Slack has attachments of another kind, so that it gets none. In a
    text for Slack, & < > are control characters, with which a name could call everybody in the channel or hide a link.
    """
    if not host.endswith(_TEAMS):
        return {"text": html.escape(text, quote=False)}
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
