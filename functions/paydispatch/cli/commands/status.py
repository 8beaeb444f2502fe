"""`paydispatch status REQUEST_ID`: prints the status of a request, from Redis or from the API."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from paydispatch.cli.arguments import api_url, bearer_token
from paydispatch.cli.looks_report import describe_looks
from paydispatch.cli.operate import add_stack, ask
from paydispatch.cli.terminal import complain, say, say_json
from paydispatch.domain.errors import PaydispatchError, Unavailable
from paydispatch.domain.rates.waiting import make_waiting

if TYPE_CHECKING:
    import argparse

    import httpx


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "status",
        help="print the status of a request",
        description="Print the status of a request and of its flow, and its path with --trace. With --api the flow is "
        "left out.",
        epilog="""\
examples:
  paydispatch status pdr_01m82qt6xzezdwnvs8qmdew3r2
  paydispatch status pdr_01m82qt6xzezdwnvs8qmdew3r2 --trace
  paydispatch status pdr_01m82qt6xzezdwnvs8qmdew3r2 --api https://api.example.com --json

exit codes:
  0    printed
  1    there is no such request""",
    )
    parser.add_argument(
        "request_id", metavar="REQUEST_ID", help="id of the request, from its receipt"
    )
    source = parser.add_mutually_exclusive_group()
    source.add_argument(
        "--api",
        type=api_url,
        metavar="URL",
        help="read the status from the HTTP API at this URL (default: from Redis)",
    )
    parser.add_argument(
        "--tenant",
        metavar="T",
        help="tenant of the request; only without --api (default: QUEUE_TENANT)",
    )
    source.add_argument(
        "--trace",
        action="store_true",
        help="print the path of the request from its acceptance to its flow, with the time of each hop",
    )
    parser.add_argument("--json", action="store_true", help="print all fields as JSON")
    add_stack(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Return 0 if the request exists, otherwise 1."""
    request_id, api = arguments.request_id, arguments.api
    if api and arguments.stack:
        raise PaydispatchError("--api and --stack are two ways to ask. Name one.")
    found = _ask_api(request_id, api) if api else _ask_operator(arguments)
    if found is None:
        complain(f"There is no request {request_id}.")
        return 1
    if arguments.json:
        say_json(found)
    else:
        for line in _trace_lines(found) if arguments.trace else _lines(found):
            say(line)
    return 0


def _ask_operator(arguments: argparse.Namespace) -> dict[str, Any] | None:
    """Return the request as Redis has it, or None if there is none."""
    document = ask(
        arguments,
        "status",
        request_id=arguments.request_id,
        tenant=arguments.tenant,
        trace=arguments.trace,
    )
    found: dict[str, Any] | None = document["request"]
    return found


def _trace_lines(found: dict[str, Any]) -> list[str]:
    from paydispatch.cli.trace_report import describe_trace

    return describe_trace(found, time.time())


def _ask_api(
    request_id: str, api: str, transport: httpx.BaseTransport | None = None
) -> dict[str, Any] | None:
    """Return the request from the API, or None if there is none. Raises `Unavailable` for any other answer."""
    import httpx

    token = bearer_token()
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        with httpx.Client(headers=headers, timeout=10.0, transport=transport) as client:
            answer = client.get(f"{api}/v1/requests/{quote(request_id, safe='')}")
    except httpx.TransportError as error:
        raise Unavailable(f"The API at {api} is unreachable: {error}") from error
    return _read(answer, api)


def _read(answer: httpx.Response, api: str) -> dict[str, Any] | None:
    said = _json_object(answer)
    if answer.status_code == 200 and "request_id" in said:
        return said
    error = said.get("error")
    error = error if isinstance(error, dict) else {}
    if error.get("code") == "resource_missing":
        return None
    why = error.get("message") or answer.text[:200]
    raise Unavailable(f"The API at {api} answered {answer.status_code}: {why}")


def _json_object(answer: httpx.Response) -> dict[str, Any]:
    """Return the JSON object of the body, or an empty one for any other body."""
    try:
        said = answer.json()
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _lines(found: dict[str, Any]) -> list[str]:
    lines = [
        f"{found['request_id']}  {found['status']}",
        f"  {found['operation']} for {found['worker_id']}, {found['context_id']}, {found['attempts']} attempts",
    ]
    if "retry_at" in found:
        lines.append(f"  next attempt in {max(0.0, found['retry_at'] - time.time()):.0f} s")
    if waiting := make_waiting(found.get("waits_for"), found.get("lane")):
        lines.append(f"  it waits because {waiting.clause}")
    for hold in found.get("held_back_by", ()):
        lines.append(f"  held back, {hold['kind']}: {hold['subject']}, {hold['detail']}")
        lines.append(f"    next: {hold['next_step']}")
    if "proven_by" in found:
        lines.append(f"  proven by: {found['proven_by']}")
    if "looks" in found:
        lines.append(f"  {describe_looks(found['looks'], time.time())}")
    if "parsed_data" in found:
        lines.append(f"  Stripe's id: {found['parsed_data'].get('id')}")
    if "parsed_error" in found:
        error = found["parsed_error"]
        lines.append(f"  {error['kind']} error ({error['certainty']}): {error['message']}")
    return [*lines, *_flow_lines(found)]


def _flow_lines(found: dict[str, Any]) -> list[str]:
    """Return a line for each flow. The API says nothing about flows."""
    if not found.get("flows"):
        return []
    from paydispatch.cli.trace_report import describe_flow

    return [f"  flow {describe_flow(flow, time.time())}" for flow in found["flows"]]
