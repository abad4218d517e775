"""The verdict as text."""

import json

from components.gate.verdict import Alarm, Verdict

GIVEN = Verdict("id", "the champion", (Alarm("time", "custom_cnn", "slower"),), ("a warning",), ("a note",))


def test_a_verdict_is_the_same_after_it_was_stored():
    assert Verdict.from_json(GIVEN.to_json()) == GIVEN


def test_what_only_a_later_version_knows_is_left_out():
    content = json.loads(GIVEN.to_json())
    content["later"] = 1
    content["alarms"][0]["later"] = 1
    assert Verdict.from_json(json.dumps(content)) == GIVEN
