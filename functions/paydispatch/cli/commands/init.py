"""`paydispatch init [DIR]`: writes a project with two flows, their tests and a template."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from paydispatch.cli.terminal import complain, say, say_json
from paydispatch.domain.errors import PaydispatchError
from paydispatch.domain.text.printable import printable

if TYPE_CHECKING:
    import argparse

TEMPLATES = Path(__file__).parents[1] / "project"
SUFFIX = ".tmpl"
"""A template is no Python file, so that no tool checks it as a module of paydispatch."""

NAME = "PROJECT"
"""Stands in a template for the name of the project."""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "init",
        help="write a project with two flows, their tests and a template",
        description="Write a project that you can run and test: flows for the outcome of a payment intent, their "
        "tests, a Makefile, a README, and a template for AWS. If one of the files is there already, nothing is "
        "written.",
        epilog="""\
examples:
  paydispatch init shop
  paydispatch init

exit codes:
  0    written
  1    a file stands in the way, and the command names it""",
    )
    parser.add_argument(
        "folder",
        nargs="?",
        type=Path,
        default=Path(),
        metavar="DIR",
        help="folder of the project, which is made if it is not there (default: the current one)",
    )
    parser.add_argument("--json", action="store_true", help="print the files as JSON")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Return 0, and 1 if a file stands in the way. Raises `PaydispatchError` if a folder cannot be made."""
    folder: Path = arguments.folder
    files = {folder / name: text for name, text in project_files(_name(folder)).items()}
    if standing := _standing(list(files), folder):
        complain(f"paydispatch: {_list(standing)} in the way, so nothing was written.")
        return 1
    for path, text in files.items():
        _write(path, text)
    if arguments.json:
        say_json({"files": [str(path) for path in files]})
    else:
        _say_next(folder, list(files))
    return 0


def project_files(name: str) -> dict[PurePosixPath, str]:
    """Return the text of each file of a project, by its path in the project."""
    found = sorted(TEMPLATES.rglob(f"*{SUFFIX}"))
    return {_place(path): path.read_text("utf-8").replace(NAME, name) for path in found}


def _place(template: Path) -> PurePosixPath:
    inside = template.relative_to(TEMPLATES).as_posix().removesuffix(SUFFIX)
    return PurePosixPath(".gitignore" if inside == "gitignore" else inside)


def _name(folder: Path) -> str:
    return printable(folder.resolve().name or "shop")


def _standing(files: list[Path], folder: Path) -> list[Path]:
    """Return each file that is there already, and each file in the place of a folder."""
    folders = {parent for path in files for parent in path.parents if parent.is_relative_to(folder)}
    blocked = [path for path in sorted({*folders, folder}) if path.exists() and not path.is_dir()]
    return blocked or [path for path in files if os.path.lexists(path)]


def _list(standing: list[Path]) -> str:
    names = ", ".join(map(str, standing))
    return f"{names} {'is' if len(standing) == 1 else 'are'}"


def _write(path: Path, text: str) -> None:
    """Write a new file. Raises `PaydispatchError` if another program was faster."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise PaydispatchError(f"{path} was written by another program meanwhile.") from None


def _say_next(folder: Path, files: list[Path]) -> None:
    for path in files:
        say(f"wrote  {path}")
    say("Next:")
    say(f"  make -C {folder} test")
    say(f"  make -C {folder} run")
