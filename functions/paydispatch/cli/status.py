"""`paydispatch status REQUEST_ID`: where a request stands, from Redis or through the API."""

from __future__ import annotations

import json
import os
import sys
import time
from typing import TYPE_CHECKING, Any

from paydispatch.settings import MissingSetting

if TYPE_CHECKING:
    import argparse

FINAL = ("succeeded", "failed")


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("status", help="where a request stands")
    parser.add_argument("request_id", metavar="REQUEST_ID")
    parser.add_argument(
        "--api", metavar="URL", help="ask the HTTP API (default: Redis, by REDIS_URL)"
    )
    parser.add_argument(
        "--json", action="store_true", help="print everything that is known, as JSON"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Return 0 if the request is known, 1 if it is not."""
    ask = _ask_api if arguments.api else _ask_redis
    found = ask(arguments.request_id, arguments.api)
    if found is None:
        print(f"No request {arguments.request_id}.", file=sys.stderr)
        return 1
    print(json.dumps(found) if arguments.json else _text(found))
    return 0


def _ask_api(request_id: str, api: str) -> dict[str, Any] | None:
    import httpx

    from paydispatch.domain.errors import Unavailable

    try:
        answer = httpx.get(f"{api}/v1/requests/{request_id}", timeout=10.0)
    except httpx.TransportError as error:
        raise Unavailable(f"The API at {api} cannot be reached: {error}") from error
    if answer.status_code == 404:
        return None
    if answer.status_code != 200:
        raise Unavailable(f"The API answered {answer.status_code}: {answer.text[:200]}")
    return dict(answer.json())


def _ask_redis(request_id: str, _: str | None) -> dict[str, Any] | None:
    from paydispatch.adapters.redis_board import RedisBoard
    from paydispatch.adapters.redis_connection import connect
    from paydispatch.services.accept import shown_status

    url = os.environ.get("REDIS_URL")
    if not url:
        raise MissingSetting("REDIS_URL")
    record = RedisBoard(connect(url)).find(request_id)
    return None if record is None else shown_status(record)


def _text(found: dict[str, Any]) -> str:
    lines = [
        f"{found['request_id']}  {found['status']}",
        f"  {found['object']} for {found['worker_id']}, {found['context_id']}, {found['attempts']} attempts",
    ]
    if "retry_at" in found:
        lines.append(f"  next attempt in {max(0.0, found['retry_at'] - time.time()):.0f} s")
    if "parsed_data" in found:
        lines.append(f"  Stripe's id: {found['parsed_data'].get('id')}")
    if "parsed_error" in found:
        error = found["parsed_error"]
        lines.append(f"  {error['kind']} error ({error['certainty']}): {error['message']}")
    return "\n".join(lines)
