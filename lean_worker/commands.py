"""Subcommands whose list shows one sentence each; a subcommand's own help shows everything."""

import sys
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import tyro

Command = TypeVar("Command", bound=Callable[..., Any])


class Commands:
    """Command-line application made of functions and of further applications.

    Attributes:
        commands: each subcommand, a function or an application, with its description in the list ("" for that of the function).
    """

    def __init__(self) -> None:
        self.commands: dict[str, tuple[Callable[..., Any] | Commands, str]] = {}

    def command(self, name: str) -> Callable[[Command], Command]:
        """Return a decorator that adds a function as a subcommand."""

        def add(function: Command) -> Command:
            self.commands[name] = function, ""
            return function

        return add

    def add(self, commands: "Commands", name: str, summary: str) -> None:
        """Add an application as a subcommand."""
        self.commands[name] = commands, summary

    def app(self, brief: bool = False) -> tyro.extras.SubcommandApp:
        """Return the application for tyro; if `brief`, only the first sentence of each description is kept."""
        app = tyro.extras.SubcommandApp()
        for name, (target, summary) in self.commands.items():
            if isinstance(target, Commands):
                app.command(target.app(brief), name=name, help=summary)
            else:
                app.command(name=name, help=_first_sentence(target) if brief else None)(target)
        return app

    def cli(self, prog: str, description: str, args: Sequence[str] | None = None) -> Any:
        """Run the subcommand that the arguments name. Without one, print the list of subcommands."""
        words = sys.argv[1:] if args is None else list(args)
        return self.app(brief=not self._names_one(words)).cli(prog=prog, description=description, args=words)

    def _names_one(self, words: Sequence[str]) -> bool:
        for at, word in enumerate(words):
            target, _ = self.commands.get(word, (None, ""))
            if target is not None:
                return target._names_one(words[at + 1 :]) if isinstance(target, Commands) else True
        return False


def _first_sentence(function: Callable[..., Any]) -> str:
    paragraph = " ".join((function.__doc__ or "").split("\n\n")[0].split())
    return paragraph.split(". ")[0].rstrip(".") + "."
