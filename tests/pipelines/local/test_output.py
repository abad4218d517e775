"""All output goes to the log; progress lines go to the terminal; errors and failed steps are found."""

import io

import pytest

from pipelines.local.output import OutputFilter

PROGRESS = "[train] pneumonia-benchmark: train custom_cnn: epoch 1\n"
ERROR = "pneumonia-benchmark: error: no disk: buy one\n"


def filtered(*lines, verbose=False):
    """The filter after these lines, and what it wrote to the terminal and to the log."""
    terminal, log = io.StringIO(), io.StringIO()
    output = OutputFilter(terminal, log, verbose)
    for line in lines:
        output.write(line)
    return output, terminal.getvalue(), log.getvalue()


def test_the_terminal_shows_progress_with_the_time_and_the_log_has_everything():
    output, terminal, log = filtered("INFO begun\n", PROGRESS, ERROR)
    assert terminal == "  0:00  train custom_cnn: epoch 1\n"
    assert log == f"INFO begun\n{PROGRESS}{ERROR}"
    assert (output.error, output.failed) == ("no disk: buy one", False)


def test_verbose_shows_all_lines_unchanged_and_none_twice():
    output, terminal, log = filtered("INFO begun\n", PROGRESS, ERROR, verbose=True)
    assert terminal == log == f"INFO begun\n{PROGRESS}{ERROR}"
    assert output.error == "no disk: buy one"


def begun(task):
    return f"11:35:23.358 - INFO - Executing task \x1b[96m'{task}'\x1b[0m\n"


def test_an_error_is_that_of_the_task_that_ran_last():
    output, _, _ = filtered(begun("train-2"), ERROR)
    assert (output.task, output.error) == ("train-2", "no disk: buy one")
    output, _, _ = filtered(begun("train-2"), ERROR, begun("evaluate"), PROGRESS)
    assert (output.task, output.error, output.failed) == ("evaluate", "", False)


@pytest.mark.parametrize(
    ("line", "failed"),
    [
        ("Task \x1b[96m'train'\x1b[0m finished with status \x1b[91mFAILURE\x1b[0m\n", True),
        ("Task 'train' finished with status SUCCESS\n", False),
        ("FAILURE is no option\n", False),
    ],
)
def test_a_failed_step_is_known_by_what_kfp_prints(line, failed):
    assert filtered(line, "more\n")[0].failed == failed
