"""The command line: mistakes, dry runs, and help whose examples are valid."""

import re
import runpy
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from components import process
from pipelines.submit import command
from tests.pipelines.submit.helpers import MONDAY

PROJECT = Path(__file__).parents[3]

pytestmark = pytest.mark.usefixtures("own_environment")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--set", "epoch=3"], "no parameter 'epoch': it has backbone, batch_size"),
        (["--set", "epochs=many"], "the parameter epochs is 'many', but must be a whole number"),
        (["--set", "epochs"], "is not of the form name=value"),
        (["--parameters", "nowhere.yaml"], "there is no parameter file nowhere.yaml"),
        (["--yaml", "nowhere.yaml"], "there is no file nowhere.yaml: make one with python compile.py"),
        (["--gpus", "0"], "is compiled already, so --gpus cannot change it: omit one"),
        (["--settings", "cluster.yaml"], "is compiled already, so --settings cannot change it"),
        (["--poll", "0"], "'0' is not a number of seconds above 0"),
        (["--ssl-ca-cert", "nowhere.pem"], "the file of CA certificates nowhere.pem does not exist"),
        (["--existing-token-file", "nowhere"], "the token file nowhere does not exist"),
        (["--host", "http://"], "the host 'http://' is not a URL"),
        (["--host", "http://a b"], "the host 'http://a b' is not a URL"),
        (["--host", "ftp://host"], "is not a URL"),
    ],
)
def test_a_mistake_is_one_sentence_and_nothing_is_sent(server, say, words, message):
    said = say("run", *words)
    assert said.code == 2
    assert message in said.err
    assert server.requests == []


@pytest.mark.parametrize(
    "words",
    [
        ("run",),
        ("run", "--wait"),
        (*MONDAY, "--run-now"),
        ("schedule", "--cron", "1 * * * *"),
        ("list",),
        ("pause",),
        ("delete",),
    ],
)
def test_a_dry_run_writes_nothing_whatever_is_there(server, say, words):
    if words[0] in ("run", "schedule"):
        said = say(*words, "--dry-run")
        assert said.code == 0
        assert "dry run: would have uploaded version pneumonia-benchmark-" in said.out
        assert server.writes == []
    say(*MONDAY)
    writes = list(server.writes)
    said = say(*words, "--dry-run")
    assert said.code == 0
    assert server.writes == writes
    assert ("would have" in said.out) == (words[0] != "list")
    assert "link:" not in said.out


def test_a_mistake_is_found_without_loading_kfp():
    code = (
        "import sys\nfrom pipelines.submit import command\n"
        "try: command.main(['schedule', '--cron', 'x', '--host', 'http://localhost:1'])\n"
        "except SystemExit as stopped: sys.exit(10 * stopped.code + ('kfp' in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 20, done.stderr


@pytest.mark.parametrize("words", [["--help"], ["schedule", "--help"]])
def test_the_examples_in_the_help_are_valid_commands(words, capsys):
    with pytest.raises(SystemExit):
        command.main(words)
    examples = re.findall(r"python -m pipelines\.submit (?!\[)(.+)", capsys.readouterr().out.partition("example")[2])
    assert examples
    for example in examples:
        assert callable(command._parser().parse_args(shlex.split(example)).command)


@pytest.mark.parametrize(
    ("words", "called"),
    [
        (["run", "--cron", "x"], None),
        (["run"], "run"),
        (["schedule"], None),
        (["schedule", "--cron", "0 3 * * 1"], "schedule"),
        (["list"], "list_schedules"),
        (["pause"], "pause"),
        (["resume"], "resume"),
        (["delete", "--wait", "--poll", "1"], "delete"),
        (["pause", "--stop-runs"], None),
    ],
)
def test_every_command_has_its_own_options_and_function(words, called):
    if called:
        assert command._parser().parse_args(words).command.__name__ == called
    else:
        with pytest.raises(SystemExit, match="2"):
            command._parser().parse_args(words)


def test_the_exit_codes_are_in_the_help_of_the_commands_that_have_them(capsys):
    for words in (["--help"], ["run", "--help"]):
        with pytest.raises(SystemExit, match="0"):
            command.main(words)
        assert command.EXIT_CODES in capsys.readouterr().out


def test_a_run_that_failed_is_the_exit_code_of_the_process(monkeypatch):
    monkeypatch.setattr(command, "main", lambda: 3)
    monkeypatch.setattr(process, "prepare", lambda: None)
    with pytest.raises(SystemExit) as stopped:
        runpy.run_module("pipelines.submit", run_name="__main__")
    assert stopped.value.code == 3
