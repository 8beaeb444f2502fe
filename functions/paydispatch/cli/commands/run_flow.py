"""`paydispatch run-flow SCRIPT`: runs one flow with a saved outcome, or with one that the twin makes."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paydispatch.cli.arguments import count, flows_folder
from paydispatch.cli.terminal import complain_in_lines, say, say_json
from paydispatch.domain.errors import PaydispatchError
from paydispatch.domain.text.redaction import redact
from paydispatch.domain.text.script_errors import traceback_text

if TYPE_CHECKING:
    import argparse

    from paydispatch.domain.flow_checks.saved_outcomes import SavedOutcome
    from paydispatch.testing import FlowRun

ERRORS = ("declined", "refused", "unknown", "gave_up", "flow_failed")


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "run-flow",
        help="run one flow with a saved outcome, or with a made one",
        description="Run one flow in this process, and print its log and the requests that it would send. They are "
        "checked and not sent. The script's own actions, such as a write to your database, are real.",
        epilog="""\
examples:
  paydispatch run-flow new_create_payment_intent_response
  paydispatch run-flow new_create_payment_intent_error --error unknown
  paydispatch run-flow new_create_refund_response --data refund.json
  paydispatch run-flow any_error --data dead.json

exit codes:
  0    the flow returned, or asked to run later
  1    the flow raised""",
    )
    parser.add_argument("script", metavar="SCRIPT", help="name of the script, or path of its file")
    parser.add_argument(
        "--flows",
        type=Path,
        metavar="DIR",
        help="folder of the flow scripts (default: FLOWS_DIR, or ./flows)",
    )
    outcome = parser.add_mutually_exclusive_group()
    outcome.add_argument(
        "--data",
        metavar="FILE",
        help="a saved outcome as JSON, or - for stdin: Stripe's answer or some of its fields, a parsed_error, or the "
        "output of `status --json` or `flows dead show` (default: the twin makes one)",
    )
    outcome.add_argument(
        "--error",
        metavar="E",
        choices=ERRORS,
        help=f"make this error for an error script: {', '.join(ERRORS)} (default: declined)",
    )
    parser.add_argument(
        "--operation", metavar="O", help="operation of the request, for any_response and any_error"
    )
    parser.add_argument(
        "--context", metavar="C", help="context of the request (default: context-1)"
    )
    parser.add_argument(
        "--runs", type=count, default=1, metavar="N", help="run it N times, as a worker may"
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Return 1 if the script raised, otherwise 0. Raises `PaydispatchError` for arguments that do not fit."""
    from paydispatch.testing import run_flow

    file = _file_of(arguments)
    try:
        ran = run_flow(file, runs=arguments.runs, **_outcome(arguments, file.stem))
    except BaseException as error:
        if not _raised_in(error, file):
            raise
        complain_in_lines(traceback_text(error))
        return 1
    _show(ran, as_json=arguments.json)
    return 0


def _file_of(arguments: argparse.Namespace) -> Path:
    """Return the file of the script. Raises `PaydispatchError` if there is none."""
    named = Path(arguments.script)
    is_path = named.suffix == ".py"
    file = named.resolve() if is_path else flows_folder(arguments.flows) / f"{named.name}.py"
    if not file.is_file():
        raise PaydispatchError(f"There is no flow {file}.")
    return file


def _outcome(arguments: argparse.Namespace, script: str) -> dict[str, Any]:
    """Return the arguments of `run_flow` that say what the flow gets."""
    end = next((end for end in ("response", "error") if script.endswith(f"_{end}")), None)
    saved = _saved(arguments, end)
    chosen = {"operation": arguments.operation, "context_id": arguments.context}
    given: dict[str, Any] = {**saved.request, **{k: v for k, v in chosen.items() if v is not None}}
    if saved.parsed_error is not None:
        return {**given, "parsed_error": saved.parsed_error}
    return {**given, "parsed_data": saved.parsed_data or {}}


def _saved(arguments: argparse.Namespace, end: str | None) -> SavedOutcome:
    from paydispatch import testing
    from paydispatch.domain.flow_checks.saved_outcomes import SavedOutcome, read_saved

    if arguments.data is not None:
        return read_saved(_read_json(arguments.data), end=end)
    if arguments.error is not None or end == "error":
        made = getattr(testing, arguments.error or ERRORS[0])
        return SavedOutcome(parsed_error=made())
    return SavedOutcome(parsed_data={})


def _read_json(file: str) -> Any:
    try:
        return json.loads(sys.stdin.read() if file == "-" else Path(file).read_text("utf-8-sig"))
    except ValueError as error:
        raise PaydispatchError(f"{file} is no JSON: {error}.") from None


def _raised_in(error: BaseException, file: Path) -> bool:
    """Return whether the error comes from the script, at its import or in its run."""
    if isinstance(error, SyntaxError):
        return True
    at = error.__traceback__
    while at is not None:
        if at.tb_frame.f_code.co_filename == str(file):
            return True
        at = at.tb_next
    return False


def _show(ran: FlowRun, *, as_json: bool) -> None:
    if as_json:
        dispatched = [asdict(each) for each in ran.dispatched]
        logged = [asdict(each) for each in ran.logged]
        say_json({"dispatched": dispatched, "logged": logged, "retry_after_s": ran.retry_after_s})
        return
    for line in ran.logged:
        say(redact(str(line)))
    for request in ran.dispatched:
        say(redact(f"dispatches {request}"))
    if ran.retry_after_s is not None:
        say(f"runs again in {ran.retry_after_s:g} s")
    elif not ran.dispatched:
        say("dispatches nothing")
