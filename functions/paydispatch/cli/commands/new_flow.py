"""`paydispatch new-flow OBJECT`: the two flows of an object, to be filled in."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

from paydispatch.cli.terminal import say
from paydispatch.domain.errors import PaydispatchError, UnknownObject
from paydispatch.domain.resources import RESOURCES, Resource, resource_named

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

_RESPONSE = Template('''\
"""Runs when Stripe has created $a_noun. `flow` can dispatch the next create here."""


def run(parsed_data, flow):
    flow.log.info("$noun %s is there", parsed_data["id"])
    flow.log.info("next: nothing, %s ends here", flow.context_id)
''')

_ERROR = Template('''\
"""Runs when $a_noun was not created, or may have been. `certainty` says which."""


def run(parsed_error, flow):
    if parsed_error.code == "flow_failed":
        flow.log.error("the $noun is there, but its own flow failed: %s", parsed_error)
        return
    flow.log.warning("$noun (%s): %s", parsed_error.certainty, parsed_error)
    if parsed_error.certainty == "unknown":
        # It may exist: asking again under a new request could make a second one.
        flow.log.warning("next: wait for reconciliation before asking again")
    elif parsed_error.kind == "api":
        flow.log.info("next: correct %s and dispatch it again", parsed_error.param or "the request")
    else:
        flow.log.info("next: dispatch it again")
''')


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "new-flow",
        help="write the two flows of an object",
        description="Write new_create_OBJECT_response.py and new_create_OBJECT_error.py, ready to run. "
        "A file that exists is left as it is.",
    )
    chosen = parser.add_mutually_exclusive_group(required=True)
    chosen.add_argument("object", nargs="?", metavar="OBJECT", help="like payment_intent")
    chosen.add_argument(
        "--all-missing", action="store_true", help="every flow that is not there yet"
    )
    parser.add_argument(
        "--flows", type=Path, default=Path("flows"), metavar="DIR", help="the flows folder (flows)"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Return 0. Raises `PaydispatchError` for an object that is not in the table, or a folder that is none."""
    rows = RESOURCES if arguments.all_missing else (_row(arguments.object),)
    written = _write_missing(rows, arguments.flows)
    if written:
        say(f"Next: say in {'it' if len(written) == 1 else 'them'} what should follow, then run")
        say(f"  paydispatch worker --all --flows {arguments.flows}")
    elif arguments.all_missing:
        say("Every object has its two flows.")
    return 0


def _row(name: str) -> Resource:
    try:
        return resource_named(name)
    except UnknownObject as error:
        near = get_close_matches(name, [row.name for row in RESOURCES], n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise PaydispatchError(f"{error}{hint}") from None


def _write_missing(rows: Iterable[Resource], folder: Path) -> list[Path]:
    """Write each flow that is not there, and say so; one that is there is named and kept."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise PaydispatchError(f"{folder} cannot be a folder: a file is in the way.") from None
    scripts = {folder / f"{name}.py": text for row in rows for name, text in _flows(row)}
    return [path for path, text in scripts.items() if _written(path, text)]


def _flows(row: Resource) -> tuple[tuple[str, str], tuple[str, str]]:
    noun = row.identifier.replace("_", " ")
    words = {"noun": noun, "a_noun": f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"}
    return (
        (row.response_flow, _RESPONSE.substitute(words)),
        (row.error_flow, _ERROR.substitute(words)),
    )


def _written(path: Path, text: str) -> bool:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        say(f"kept   {path}")
        return False
    say(f"wrote  {path}")
    return True
