"""Writes docs/cli.md, the page of all commands, from the parsers of the commands.

    python tools/cli_page.py

A test compares the page with the parsers. No text of `argparse` itself is on it, because that differs between Pythons.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from paydispatch.cli.main import EXIT_CODES, make_parser

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = Path(__file__).resolve().parents[1] / "docs/cli.md"

ESCAPED_BAR = r"\|"
"""A bar inside a cell of a table."""

INTRODUCTION = """\
# Commands

`make cli-page` writes this page from the help of the commands, and `paydispatch COMMAND --help` shows the same help.

## Install what a command needs

| install | for |
|---|---|
| `pip install paydispatch` | a program that dispatches, and `init`, `new-flow`, `env`, `status --api` |
| `pip install 'paydispatch[worker]'` | also `worker`, `submit` and the commands of an operator, without an emulator |
| `pip install 'paydispatch[local]'` | also `demo`, `local` and `twin` |
| `pip install 'paydispatch[testing]'` | also pytest, for the tests of your flows |

A command that lacks a library names it, and the command that installs it.

## Manners

- A mistake is one line on stderr and exit code 2. A traceback is a fault in paydispatch: report it.
- Text of others, such as a name or an error message, is printed without control characters and without Stripe keys.
- `--json` prints the report as JSON on stdout. Messages for a person go to stderr.
- `NO_COLOR=1` prints no escape sequences. A table that is wider than the terminal becomes a paragraph for each row, and
  `COLUMNS` sets the width.
- `eval "$(paydispatch completion bash)"` completes commands, options and files. `zsh` and `fish` do as well.

"""


def page() -> str:
    """Return the text of the page."""
    parts = [INTRODUCTION, "## Exit codes\n\n", _block(EXIT_CODES), "\n"]
    return "".join([*parts, *_commands(make_parser())]).rstrip("\n") + "\n"


def _commands(parser: argparse.ArgumentParser) -> Iterator[str]:
    for command in _subcommands(parser):
        yield f"## {command.prog}\n\n"
        if command.description:
            yield f"{command.description}\n\n"
        yield from _arguments(command)
        if command.epilog:
            yield f"{_block(command.epilog)}\n"
        yield from _commands(command)


def _subcommands(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    for action in parser._actions:  # noqa: SLF001 - argparse has no public list
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            yield from action.choices.values()


def _arguments(command: argparse.ArgumentParser) -> Iterator[str]:
    rows = [_row(action) for action in command._actions if _is_shown(action)]  # noqa: SLF001
    if rows:
        yield "| argument | |\n|---|---|\n" + "".join(rows) + "\n"


def _is_shown(action: argparse.Action) -> bool:
    hidden = (argparse._HelpAction, argparse._SubParsersAction)  # noqa: SLF001
    return not isinstance(action, hidden)


def _row(action: argparse.Action) -> str:
    cells = (f"`{_name(action)}`", (action.help or "").replace("%%", "%"))
    return f"| {' | '.join(cell.replace('|', ESCAPED_BAR) for cell in cells)} |\n"


def _name(action: argparse.Action) -> str:
    if not action.option_strings:
        return str(action.metavar or action.dest)
    value = "" if action.nargs == 0 else f" {_value(action)}"
    return ", ".join(action.option_strings) + value


def _value(action: argparse.Action) -> str:
    if action.metavar is not None:
        return str(action.metavar)
    if action.choices is not None:
        return "|".join(map(str, action.choices))
    return action.dest.upper()


def _block(text: str) -> str:
    return "".join(f"    {line}".rstrip() + "\n" for line in text.splitlines())


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
