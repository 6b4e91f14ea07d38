import subprocess
from collections.abc import Callable

CortexCommand = Callable[..., subprocess.CompletedProcess[str]]


def test_a_program_reads_the_list_as_lines_of_tabs(cortex_command: CortexCommand) -> None:
    header, *lines = [line.split("\t") for line in cortex_command("models", "list").stdout.splitlines()]
    assert header == ["MODEL", "STATE", "SIZE", "MEMORY", "CONTEXT", "DESCRIPTION"]
    assert [(line[0], line[1]) for line in lines] == [
        ("fake/echo, echo", "downloaded"),
        ("fake/parrot, parrot", "available"),
    ]


def test_show_tells_all_about_a_model_by_its_alias(cortex_command: CortexCommand) -> None:
    shown = cortex_command("models", "show", "echo").stdout.splitlines()
    facts = dict(line.split(maxsplit=1) for line in shown if not line.startswith("context window"))
    assert facts["id"] == "fake/echo"
    assert facts["state"] == "downloaded"
    assert "context window 4096" in shown
    assert [line for line in shown if line.startswith(("weights", "each token", "full window"))] == [
        "weights        1.0 MB",
        "each token     100 bytes",
        "full window    1.4 MB",
    ]


def test_show_of_an_unknown_model_names_the_nearest(cortex_command: CortexCommand) -> None:
    ended = cortex_command("models", "show", "fake/ecco")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith("cortex: There is no model named 'fake/ecco'. Did you mean fake/echo")
    assert ended.stderr.count("\n") == 1


def test_pull_says_when_the_model_is_here(cortex_command: CortexCommand) -> None:
    ended = cortex_command("models", "pull", "parrot")
    assert (ended.returncode, ended.stderr) == (0, "parrot is here.\n")


def test_delete_asks_unless_told_not_to(cortex_command: CortexCommand) -> None:
    unasked = cortex_command("models", "delete", "echo")
    assert unasked.returncode == 2
    assert "--yes" in unasked.stderr
    told = cortex_command("models", "delete", "echo", "--yes")
    assert (told.returncode, told.stdout) == (0, "The files of echo are removed.\n")
