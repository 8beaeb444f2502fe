"""Every `paydispatch` command of the documents has arguments that the command takes."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from paydispatch.cli.main import make_parser

ROOT = Path(__file__).parents[3]
PAGES = [ROOT / "README.md", *ROOT.glob("docs/**/*.md"), *ROOT.glob("infra/**/*.md")]

_COMMAND = re.compile(r"^ {4}(?:\.venv/bin/)?paydispatch (.+?)(?:$| {3})", re.MULTILINE)
"""Three spaces begin a description."""
_SHELL = {">", "<", "|", "&", "&&", "2>"}


def _commands() -> list[str]:
    found = {text for page in PAGES for text in _COMMAND.findall(page.read_text("utf-8"))}
    return sorted(found)


def _arguments(command: str) -> list[str]:
    """Return the arguments of a command without the shell's part of the line."""
    words = shlex.split(command, comments=True)
    ends = [place for place, word in enumerate(words) if word in _SHELL]
    return words[: min(ends, default=len(words))]


@pytest.mark.parametrize("command", _commands())
def test_the_command_takes_these_arguments(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in re.findall(r"\S+\.json", command):
        Path(name).write_text("[]", "utf-8")

    parsed = make_parser().parse_args(_arguments(command))

    assert callable(parsed.run)
