"""Command lines: a list shows one sentence for each subcommand, a subcommand's help everything, and a closed pipe is no traceback."""

import subprocess
import sys

import pytest

from lean_worker.commands import Commands


def program() -> Commands:
    app, group = Commands(), Commands()

    @app.command("run")
    def run(count: int = 1) -> int:
        """Run something once. And something else.

        Details that fill a page.
        """
        return count

    @group.command("inner")
    def inner() -> str:
        """Do the inner thing.

        More details.
        """
        return "inner"

    app.add(group, "group", "A group of things.")
    return app


@pytest.mark.parametrize(
    ("words", "shown", "hidden"),
    [
        (["--help"], ("Run something once.", "A group of things."), ("something else", "Details")),
        (["group", "--help"], ("Do the inner thing.",), ("More details",)),
        (["run", "--help"], ("Run something once. And something else.", "Details that fill a page.", "--count"), ()),
        (["group", "inner", "--help"], ("Do the inner thing.", "More details."), ()),
    ],
)
def test_help(words: list[str], shown: tuple[str, ...], hidden: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        program().cli("program", "A program.", words)
    page = capsys.readouterr().out
    assert ended.value.code == 0 and all(text in page for text in shown) and not any(text in page for text in hidden)


def test_subcommands_are_called() -> None:
    assert program().cli("program", "", ["run", "--count", "3"]) == 3
    assert program().cli("program", "", ["group", "inner"]) == "inner"


@pytest.mark.multiprocess
@pytest.mark.parametrize("module", ["oprover_jax.cli", "lean_worker.cli"])
def test_a_closed_pipe_is_no_traceback(module: str) -> None:
    process = subprocess.Popen([sys.executable, "-m", module, "--help"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    with process.stderr:
        assert "Traceback" not in process.stderr.read()
    assert process.wait(60) in (0, 1)
