"""Every command teaches itself with examples that work, and answers a mistake with one line."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from importlib.metadata import version
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.cli.commands import all_parsers, subcommands

from paydispatch.cli.main import EXIT_CODES, main, make_parser
from paydispatch.domain.text.printable import printable

if TYPE_CHECKING:
    from pathlib import Path

PARSERS = all_parsers()
LEAVES = {name: parser for name, parser in PARSERS.items() if not subcommands(parser)}
EXAMPLE = re.compile(r"^  (.*\bpaydispatch .*)$", re.MULTILINE)
TALKS_IN_JSON = set(LEAVES) - {"completion", "new-flow", "worker"}
"""A worker prints JSON lines anyway, and the other two write files or lines for a shell."""

OPTIONS = sorted(
    {option for parser in PARSERS.values() for option in parser._option_string_actions}
)
ANY_TEXT = st.text(st.characters(exclude_characters="\0"), max_size=12)
WORDS = st.one_of(
    st.sampled_from(sorted({word for name in PARSERS for word in name.split()})),
    st.sampled_from(OPTIONS),
    st.sampled_from(["-", "--", "=", "1e999", "9" * 5_000, "99999999d", "\udcff", "\x1b[2J", "%s"]),
    st.builds("{}={}".format, st.sampled_from(OPTIONS), ANY_TEXT),
    ANY_TEXT,
)
QUICK = ("cost", "new-flow", "init", "submit", "completion")
"""The commands that reach no service before they find a mistake."""


def examples_of(name: str) -> list[list[str]]:
    """Return the arguments of each example of a command, without the words of the shell around them."""
    lines = EXAMPLE.findall(PARSERS[name].epilog or "")
    commands = (line[line.index("paydispatch ") :] for line in lines)
    words = (shlex.split(re.split(r'[|>)]|"$', command)[0]) for command in commands)
    return [each[1:] for each in words]


@pytest.mark.parametrize("name", PARSERS)
def test_every_command_has_examples_that_it_can_parse(name: str) -> None:
    examples = examples_of(name)
    assert examples
    for example in examples:
        assert " ".join(example).startswith(name)
        make_parser().parse_args(example)


@pytest.mark.parametrize("name", sorted(TALKS_IN_JSON))
def test_every_command_with_a_report_can_print_json(name: str) -> None:
    assert "--json" in LEAVES[name]._option_string_actions


@pytest.mark.parametrize("name", PARSERS)
def test_the_help_of_a_command_fits_into_80_columns(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    lines = PARSERS[name].format_help().splitlines()
    examples = {line for line in lines if "paydispatch" in line and line.startswith("  ")}
    assert [line for line in lines if len(line) > 80 and line not in examples] == []


def test_the_help_of_paydispatch_lists_the_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])

    assert ended.value.code == 0
    assert EXIT_CODES in capsys.readouterr().out


def test_the_version_is_that_of_the_installed_package(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])

    assert ended.value.code == 0
    assert capsys.readouterr().out == f"paydispatch {version('paydispatch')}\n"


def ends_with_one_line(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> bool:
    """Parse arguments. Return whether they end as help, or as one line on stderr with exit code 2, or are valid."""
    capsys.readouterr()
    try:
        make_parser().parse_args(arguments)
    except SystemExit as ended:
        printed = capsys.readouterr()
        return ended.code == 0 or (ended.code == 2 and is_one_printable_line(printed.err))
    return capsys.readouterr().err == ""


def is_one_printable_line(text: str) -> bool:
    return text.count("\n") == 1 and text == f"{printable(text[:-1])}\n"


@given(arguments=st.lists(WORDS, max_size=6))
@settings(max_examples=500, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_mistake_in_the_arguments_is_one_line_and_no_traceback(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert ends_with_one_line(arguments, capsys)


@given(command=st.sampled_from(QUICK), arguments=st.lists(WORDS, max_size=3))
@settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_a_command_with_any_arguments_ends_without_a_traceback(
    command: str,
    arguments: list[str],
    away: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    away.chdir(tmp_path)
    capsys.readouterr()
    try:
        code = main([command, *arguments])
    except SystemExit as ended:
        code = int(str(ended.code))
    said = capsys.readouterr().err
    assert code in (0, 1, 2)
    assert code != 2 or is_one_printable_line(said)


def test_an_argument_that_is_not_utf_8_is_a_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["status", "\udcff"])

    assert ended.value.code == 2
    assert "'\\udcff' is not UTF-8" in capsys.readouterr().err


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_lines_for_the_shell(
    shell: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["completion", shell]) == 0
    assert "paydispatch" in capsys.readouterr().out


def test_a_shell_completes_commands_and_options(tmp_path: Path) -> None:
    assert "doctor" in completions("paydispatch do", tmp_path)
    assert {"--older-than", "--json"} <= completions("paydispatch doctor --", tmp_path)


def completions(line: str, folder: Path) -> set[str]:
    """Return what bash would be offered after a line, as argcomplete writes it to a file."""
    offered = folder / "offered"
    variables = {
        "_ARGCOMPLETE": "1",
        "_ARGCOMPLETE_IFS": "\n",
        "_ARGCOMPLETE_STDOUT_FILENAME": str(offered),
        "COMP_LINE": line,
        "COMP_POINT": str(len(line)),
    }
    command = (sys.executable, "-m", "paydispatch")
    subprocess.run(command, check=True, env=variables, timeout=60, capture_output=True)
    return {word.strip() for word in offered.read_text("utf-8").split("\n")}
