"""Every command and subcommand of `paydispatch`, with its parser."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from paydispatch.cli.main import make_parser

if TYPE_CHECKING:
    from collections.abc import Iterator


def all_parsers() -> dict[str, argparse.ArgumentParser]:
    """Return the parser of each command by its words, such as `dlq list`."""
    return dict(_below("", make_parser()))


def subcommands(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """Return the parsers of the commands directly below a parser."""
    found: dict[str, argparse.ArgumentParser] = {}
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            found |= action.choices
    return found


def _below(
    words: str, parser: argparse.ArgumentParser
) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    for name, command in subcommands(parser).items():
        full_name = f"{words} {name}".strip()
        yield full_name, command
        yield from _below(full_name, command)
