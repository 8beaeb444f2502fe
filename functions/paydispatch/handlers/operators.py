"""Translate an invocation by an operator into one command, and its document into an answer without keys."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from paydispatch.domain.errors import BadRequest, InvalidField, PaydispatchError
from paydispatch.domain.text.redaction import redact, redact_json
from paydispatch.services.operate.arguments import UNKNOWN_CALLER, Arguments, text
from paydispatch.services.operate.ports import Slice
from paydispatch.services.operate.table import command_named, operate

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from paydispatch.ports import EventLog
    from paydispatch.services.operate.ports import OperatorPorts

    Answer = dict[str, Any]

SLICE = Slice(messages=500, seconds=60.0)
"""A run of a walk. A described message has less than 10 KB, so that 500 fit into an answer. After a run the release of
20,000 hidden messages takes most of a minute. Both fit into the function's timeout of 300 s."""

MOST_BYTES = 5_900_000
"""Lambda answers with 6 MB at most."""

FIELDS = ("command", "arguments", "caller")


class OperatorHandler:
    """Runs one command an invocation, and writes one log line about it."""

    def __init__(self, ports: OperatorPorts, log: EventLog) -> None:
        self._ports = ports
        self._log = log

    async def __call__(self, event: object, context: LambdaContext) -> Answer:
        """Return `{"document": …}`, or `{"error": {"code", "param", "message"}}` for a command that was not done."""
        began = time.monotonic()
        line: dict[str, Any] = {"invocation": context.aws_request_id}
        try:
            answer = await self._run(event, line)
        except BadRequest as error:
            answer = {"error": error.as_dict()}
        except PaydispatchError as error:
            answer = {"error": {"code": type(error).__name__, "message": str(error)}}
        except Exception as error:
            # Lambda would answer with the text of the error, which may hold a key
            self._log.warning("command.failed", **line)
            why = f"internal: {type(error).__name__}. The function's log has the reason."
            answer = {"error": {"code": "internal", "message": why}}
        seconds = round(time.monotonic() - began, 3)
        self._log.info(
            "command.done", **line, seconds=seconds, error=answer.get("error", {}).get("code")
        )
        return answer

    async def _run(self, event: object, line: dict[str, Any]) -> Answer:
        """Run the command. Add its facts to the log line."""
        name, asked = _read(event)
        line |= {"command": name, "caller": asked.caller}
        try:
            document = await operate(self._ports, name, asked)
        finally:
            said = {key: value for key, value in asked.known.items() if key != "cursor"}
            line["arguments"] = redact_json(said)
        return {"document": _fitting(redact_json(document))}


def _read(event: object) -> tuple[str, Arguments]:
    """Return the command and its arguments. Raises `InvalidField`."""
    if not isinstance(event, Mapping):
        raise InvalidField(None, 'Send {"command": "status", "arguments": {…}, "caller": "…"}.')
    for name in event:
        if name not in FIELDS:
            shown = redact(str(name))[:64]
            raise InvalidField(shown, f"{shown!r} is not one of {', '.join(FIELDS)}.")
    command, given = event.get("command"), event.get("arguments", {})
    command_named(command)
    if not isinstance(given, Mapping):
        raise InvalidField("arguments", "arguments must be an object.")
    try:
        caller = text(event.get("caller", UNKNOWN_CALLER))
    except ValueError as error:
        raise InvalidField("caller", f"caller: {error}.") from None
    return str(command), Arguments(given, caller=redact(caller))


def _fitting(document: Answer) -> Answer:
    size = len(json.dumps(document))
    if size > MOST_BYTES:
        raise PaydispatchError(
            f"The command was done, but its report has {size} bytes, and Lambda answers with 6 MB at most. "
            "Ask for less, as with --account, --worker-id or --limit."
        )
    return document
