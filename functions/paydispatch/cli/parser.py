"""The parser of every command: help that keeps the lines of its examples, and one line for a mistake."""

from __future__ import annotations

import argparse
import textwrap
from typing import TYPE_CHECKING, Any, NoReturn

from paydispatch.cli.terminal import complain, say

if TYPE_CHECKING:
    from collections.abc import Sequence

MISTAKE = 2
"""The exit code for arguments that a command cannot take."""


class Parser(argparse.ArgumentParser):
    """Parses one command. `argparse` makes the parsers of its subcommands of the same class."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"formatter_class": HelpFormatter, **options})

    def error(self, message: str) -> NoReturn:
        """Print the mistake and the way to the help in one line on stderr, and exit."""
        complain(f"{self.prog}: {message} (see {self.prog} --help)")
        raise SystemExit(MISTAKE)


class Version(argparse.Action):
    """Prints the version of the installed package. It is read only then, because that takes a millisecond."""

    def __init__(self, option_strings: Sequence[str], **options: Any) -> None:
        super().__init__(option_strings, nargs=0, **{**options, "dest": argparse.SUPPRESS})

    def __call__(self, *_: Any, **__: Any) -> NoReturn:
        """Print the version and exit, as `argparse` asks."""
        from importlib.metadata import version

        say(f"paydispatch {version('paydispatch')}")
        raise SystemExit(0)


class HelpFormatter(argparse.HelpFormatter):
    """Wraps a description and keeps each line that begins with a space, because it is an example."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return "\n".join(_fill(line, width, indent) for line in text.splitlines())


def _fill(line: str, width: int, indent: str) -> str:
    if line.startswith(" ") or not line:
        return indent + line
    return textwrap.fill(line, width, initial_indent=indent, subsequent_indent=indent)
