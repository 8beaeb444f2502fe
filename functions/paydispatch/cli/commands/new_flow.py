"""`paydispatch new-flow OBJECT`: writes templates of the two flows of an object."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

from paydispatch.cli.terminal import say
from paydispatch.domain.errors import PaydispatchError, UnknownObject
from paydispatch.domain.stripe.resources import RESOURCES, Resource, resource_named

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

_RESPONSE = Template('''\
"""Runs when Stripe has created $a_noun. `flow` can dispatch the next create here."""


def run(parsed_data, flow):
    flow.log.info("$noun %s was created", parsed_data["id"])
    flow.log.info("next: nothing, %s ends here", flow.context_id)
''')

_ERROR = Template('''\
"""Runs if the create of $a_noun failed, if its outcome is unknown, or if its response flow failed."""


def run(parsed_error, flow):
    if parsed_error.code == "flow_failed":
        flow.log.error("the $noun was created, but its flow failed: %s", parsed_error)
        return
    flow.log.warning("$noun (%s): %s", parsed_error.certainty, parsed_error)
    if parsed_error.certainty == "unknown":
        # The $noun may exist, so a new request could create a second one.
        flow.log.warning("next: wait for reconciliation before dispatching a new request")
    elif parsed_error.kind == "api":
        flow.log.info("next: correct %s and dispatch it again", parsed_error.param or "the request")
    else:
        flow.log.info("next: dispatch it again")
''')


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "new-flow",
        help="write templates of the two flows of an object",
        description="Write new_create_OBJECT_response.py and new_create_OBJECT_error.py, ready to run. "
        "Existing files are not changed.",
    )
    chosen = parser.add_mutually_exclusive_group(required=True)
    chosen.add_argument(
        "object", nargs="?", metavar="OBJECT", help="name of the object, such as payment_intent"
    )
    chosen.add_argument(
        "--all-missing", action="store_true", help="write every flow that does not exist yet"
    )
    parser.add_argument(
        "--flows",
        type=Path,
        default=Path("flows"),
        metavar="DIR",
        help="folder of the flow scripts (default: flows)",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Return 0. Raises `PaydispatchError` for an unknown object, or if the folder cannot be created."""
    rows = RESOURCES if arguments.all_missing else (_row(arguments.object),)
    written = _write_missing(rows, arguments.flows)
    if written:
        say(
            f"Next: add the steps that should follow to {'it' if len(written) == 1 else 'them'}, then run"
        )
        say(f"  paydispatch worker --all --flows {arguments.flows}")
    elif arguments.all_missing:
        say("Every object has both flows already.")
    return 0


def _row(name: str) -> Resource:
    try:
        return resource_named(name)
    except UnknownObject as error:
        near = get_close_matches(name, [row.name for row in RESOURCES], n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise PaydispatchError(f"{error}{hint}") from None


def _write_missing(rows: Iterable[Resource], folder: Path) -> list[Path]:
    """Write each flow that does not exist, and return the new files. Print a line for each flow."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise PaydispatchError(
            f"The folder {folder} cannot be created, because a file is in the way."
        ) from None
    scripts = {folder / f"{name}.py": text for row in rows for name, text in _flows(row)}
    return [path for path, text in scripts.items() if _write_new(path, text)]


def _flows(row: Resource) -> tuple[tuple[str, str], tuple[str, str]]:
    noun = row.identifier.replace("_", " ")
    words = {"noun": noun, "a_noun": f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"}
    return (
        (row.response_flow, _RESPONSE.substitute(words)),
        (row.error_flow, _ERROR.substitute(words)),
    )


def _write_new(path: Path, text: str) -> bool:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        say(f"kept   {path}")
        return False
    say(f"wrote  {path}")
    return True
