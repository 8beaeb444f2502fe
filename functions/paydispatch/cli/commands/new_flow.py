"""`paydispatch new-flow NAME`: writes templates of the two flows of an operation, or of those for any operation."""

from __future__ import annotations

import re
from difflib import get_close_matches
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

from paydispatch.cli.terminal import say
from paydispatch.domain.errors import PaydispatchError, UnknownObject
from paydispatch.domain.stripe.operation_fields import create_of_object
from paydispatch.domain.stripe.operations import Operation, all_operations, operation_named
from paydispatch.domain.stripe.resources import RESOURCES

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    Flows = tuple[tuple[str, str], tuple[str, str]]

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

_OTHER_RESPONSE = Template('''\
"""Runs when Stripe has executed $name."""


def run(parsed_data, flow):
    flow.log.info("%s was executed: %s", flow.operation, parsed_data.get("id"))
    flow.log.info("next: nothing, %s ends here", flow.context_id)
''')

_OTHER_ERROR = Template('''\
"""Runs if $name failed, is unknown, or if its response flow failed."""


def run(parsed_error, flow):
    if parsed_error.code == "flow_failed":
        flow.log.error("%s was executed, but its flow failed: %s", flow.operation, parsed_error)
        return
    flow.log.warning("%s (%s): %s", flow.operation, parsed_error.certainty, parsed_error)
    if parsed_error.certainty == "unknown":
        # Stripe may have executed it, so a new request could execute it a second time.
        flow.log.warning("next: wait for reconciliation before dispatching a new request")
    elif parsed_error.kind == "api":
        flow.log.info("next: correct %s and dispatch it again", parsed_error.param or "the request")
    else:
        flow.log.info("next: dispatch it again")
''')

_ANY = {"name": "a request without flows of its own"}
_ANY_FLOWS = (
    ("any_response", _OTHER_RESPONSE.substitute(_ANY)),
    ("any_error", _OTHER_ERROR.substitute(_ANY)),
)


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "new-flow",
        help="write templates of the two flows of an operation",
        description="Write new_OPERATION_response.py and new_OPERATION_error.py, ready to run. "
        "Existing files are not changed.",
        epilog="""\
examples:
  paydispatch new-flow capture_payment_intent
  paydispatch new-flow product --flows flows
  paydispatch new-flow --all-missing

An object means its create.""",
    )
    chosen = parser.add_mutually_exclusive_group(required=True)
    chosen.add_argument(
        "operation",
        nargs="?",
        metavar="OPERATION",
        help="name of the operation, such as capture_payment_intent, or of an object, such as product; "
        "or `any`, for the flows of all requests without flows of their own",
    )
    chosen.add_argument(
        "--all-missing",
        action="store_true",
        help="write the flows of the ten objects with builders that do not exist yet",
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
    """Return 0. Raises `PaydispatchError` for an unknown name, or if the folder cannot be created."""
    names = [row.operation for row in RESOURCES] if arguments.all_missing else [arguments.operation]
    scripts = dict(script for name in names for script in _flows_named(name))
    written = _write_missing(scripts, arguments.flows)
    if written:
        say(
            f"Next: add the steps that should follow to {'it' if len(written) == 1 else 'them'}, then run"
        )
        say(f"  paydispatch worker --all --flows {arguments.flows}")
    elif arguments.all_missing:
        say("Every object has both flows already.")
    return 0


def _flows_named(name: str) -> Flows:
    """Return the names and texts of two flows, by an operation, an object, `any`, or the name of one of the flows."""
    bare = re.sub(r"^new_|_(response|error)$", "", name)
    return _ANY_FLOWS if bare == "any" else _flows(_operation(bare))


def _operation(name: str) -> Operation:
    """Return the operation `name`, or the create of the object `name`. Raises `PaydispatchError`."""
    names = [operation.name for operation in all_operations()]
    if name in names:
        return operation_named(name)
    try:
        return create_of_object(name)
    except UnknownObject:
        objects = [operation.object for operation in all_operations() if operation.creates]
        near = get_close_matches(name, [*objects, *names], n=2)
        hint = f" Did you mean {' or '.join(near)}?" if near else ""
        raise PaydispatchError(
            f"There is no operation and no create of an object {name!r}.{hint} "
            "docs/operations-table.md lists all of them."
        ) from None


def _write_missing(scripts: Mapping[str, str], folder: Path) -> list[Path]:
    """Write each flow that does not exist, and return the new files. Print a line for each flow."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise PaydispatchError(
            f"The folder {folder} cannot be created, because a file is in the way."
        ) from None
    files = {folder / f"{name}.py": text for name, text in scripts.items()}
    return [path for path, text in files.items() if _write_new(path, text)]


def _flows(operation: Operation) -> Flows:
    noun = operation.object.replace(".", " ").replace("_", " ")
    words = {
        "name": operation.name,
        "noun": noun,
        "a_noun": f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}",
    }
    has_builder = operation.name in {row.operation for row in RESOURCES}
    response, error = (_RESPONSE, _ERROR) if has_builder else (_OTHER_RESPONSE, _OTHER_ERROR)
    return (
        (operation.response_flow, response.substitute(words)),
        (operation.error_flow, error.substitute(words)),
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
