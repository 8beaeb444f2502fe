"""docs/cli.md is the help of the commands, and only one module of the commands prints."""

from __future__ import annotations

import ast
from pathlib import Path

from cli_page import PAGE, page

CLI = Path(__file__).parents[2] / "functions/paydispatch/cli"
PRINTS = {"print", "Console"}


def test_the_page_of_the_commands_is_their_help() -> None:
    assert PAGE.read_text("utf-8") == page(), "Run `make cli-page`."


def test_only_the_terminal_prints() -> None:
    """Text of others reaches a terminal through the functions that escape its control characters."""
    printing = {
        path.name
        for path in CLI.rglob("*.py")
        if names_called(ast.parse(path.read_text())) & PRINTS
    }

    assert printing == {"terminal.py"}


def names_called(tree: ast.AST) -> set[str]:
    calls = (node.func for node in ast.walk(tree) if isinstance(node, ast.Call))
    return {call.id for call in calls if isinstance(call, ast.Name)}
