"""A program that sends a key on every path through the composed functions, and prints all that is then readable.

    REDIS_URL=… python -m tests.integration.keys_on_every_path KEY WEBHOOK_SECRET

API, Stripe caller, flow runner and operator's function are the deployed ones, over a real Redis, an AWS in this process
and a Stripe that quotes every header. Each library logs as much as it can. The last line of the output is the data key.
"""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import os
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from moto import mock_aws
from moto.core import DEFAULT_ACCOUNT_ID
from moto.sqs.models import sqs_backends
from redis import Redis
from tests.integration.keys_for_operators import (
    read_console,
    read_submission,
    submit_file,
    trace,
)
from tests.unit.handlers.conftest import Context, http_event

from paydispatch.adapters.aws.kms import KmsSealer
from paydispatch.compose import api, flow_runner, stripe_caller
from paydispatch.compose.async_lambda import lambda_log
from paydispatch.compose.operators import function as operator_function
from paydispatch.handlers.flow_runner import answer_doorbells
from paydispatch.services.operate.table import COMMANDS
from paydispatch.settings import ApiSettings, CallerSettings, OperatorSettings, RunnerSettings
from paydispatch.twin.events.signature import sign

if TYPE_CHECKING:
    from collections.abc import Iterator

QUEUES = ("REQUEST_QUEUE_URL", "BATCH_QUEUE_URL", "DEAD_LETTER_QUEUE_URL", "LOOK_QUEUE_URL")
ROUNDS = 3
"""Receives of a message: enough for a copy or a second receive to be handled."""

LEFT_MS = 7_000
"""Two seconds for attempts: then a call is deferred, because the last five are for publishing."""

_FLOW = """
def run(parsed, flow):
    print(repr(flow), str(flow), repr(parsed), str(parsed), repr(getattr(parsed, "__dict__", parsed)))
    flow.log.info("a flow", extra={"flow": flow, "of": vars(flow), "parsed": parsed})
    {end}
"""


def main(key: str, webhook_secret: str) -> None:
    logging.basicConfig(level=0)
    for name in ("", "boto3", "botocore", "httpx", "httpcore", "aiohttp", "redis", "urllib3"):
        logging.getLogger(name).setLevel(1)
    boto3.set_stream_logger("", 1)
    stripe = ThreadingHTTPServer(("127.0.0.1", 0), _QuotingStripe)
    threading.Thread(target=stripe.serve_forever, daemon=True).start()
    with mock_aws(), tempfile.TemporaryDirectory() as flows:
        _set_up(key, webhook_secret, f"http://127.0.0.1:{stripe.server_port}", Path(flows))
        ports = api.connect(ApiSettings.from_env())
        handler = api.compose(ApiSettings.from_env(), ports)
        answers = list(_ask(handler, key, webhook_secret))
        submitted = submit_file(key, Path(flows))
        _call_stripe()
        asyncio.run(_run_flows())
        request_ids = _request_ids(answers)
        answers += _ask_statuses(handler, request_ids)
        trace(request_ids, key)  # before an operator runs the dead flows again
        answers += _operate(key)
        answers += asyncio.run(read_console(request_ids, key))
        answers += read_submission(submitted)
        _print_what_is_readable(answers)
        assert isinstance(ports.sealer, KmsSealer)
        data_key = base64.b64encode(ports.sealer._data_key("local").plain).decode()
    stripe.shutdown()
    stripe.server_close()
    print(data_key)


def _set_up(key: str, webhook_secret: str, stripe_base: str, flows: Path) -> None:
    sqs, secrets = boto3.client("sqs"), boto3.client("secretsmanager")
    for name in QUEUES:
        os.environ[name] = sqs.create_queue(QueueName=name.lower())["QueueUrl"]
    os.environ["SEALING_KEY_ID"] = boto3.client("kms").create_key()["KeyMetadata"]["KeyId"]
    os.environ |= {
        "STRIPE_API_BASE": stripe_base,
        "FLOWS_DIR": str(flows),
        "FLOW_ATTEMPTS": "1",
        "STRIPE_READ_TIMEOUT_S": "2",
        "RECONCILE_FUNCTION": "reconciler",
    }
    secrets.create_secret(Name="paydispatch/local/main", SecretString=key)
    secrets.create_secret(Name="paydispatch/local/webhook/local", SecretString=webhook_secret)
    for name, end in (
        ("any_response", "return"),
        ("any_error", "raise RuntimeError(flow, vars(flow), parsed)"),
    ):
        (flows / f"{name}.py").write_text(_FLOW.replace("{end}", end))


def _ask(handler: Any, key: str, webhook_secret: str) -> Iterator[dict[str, Any]]:
    """Send requests of every end, refused ones, events, and messages of a direct producer."""
    for end in _ENDS:
        params = {"name": end, "metadata": {"order": "1"}}
        body = {"worker_id": "w", "context_id": end, "params": params}
        # A key of its own, because its breaker opens and then stops the other calls.
        own = {"stripe_secret": f"{key}Forbidden"}
        credentials = ({"stripe_secret": key}, {"secret_ref": "main"})
        for credential in (own,) if end == "forbidden" else credentials:
            yield _post(handler, "/v1/products", json.dumps({**body, **credential}))
    good = {"worker_id": "w", "context_id": "c", "stripe_secret": key, "params": {"name": "Tea"}}
    for refused in (
        {**good, "params": {"name": key}},
        {**good, "params": {key: 1}},
        {**good, "context_id": key},
        {**good, "lane": key},
        {**good, "secret_ref": key},
        {**good, key: key},
        {**good, "params": {"name": key * 50_000}},
    ):
        yield _post(handler, "/v1/products", json.dumps(refused))
    for text in (
        key,
        json.dumps(good)[:-1],
        f'{{"a": "{key}}}',
        base64.b64encode(b"\xff").decode(),
    ):
        yield _post(handler, "/v1/products", text)
    yield _post(handler, f"/v1/{key}", "{}")
    yield _post(handler, "/v1/products", json.dumps(good), {"idempotency-key": key})
    yield {"odd": handler.answer({"stripe_secret": key, key: 1}, Context())}
    event = json.dumps(
        {
            "id": "evt_1",
            "object": "event",
            "type": "product.created",
            "request": {"idempotency_key": "pdr_" + "0" * 26},
            "data": {"object": {"id": "prod_1", "object": "product", "description": key}},
        }
    )
    for secret in (webhook_secret, "whsec_another"):
        signature = sign(event.encode(), secret, time.time())
        yield _post(handler, "/v1/stripe/events/local", event, {"stripe-signature": signature})
    yield _post(
        handler, "/v1/stripe/events/local", webhook_secret, {"stripe-signature": webhook_secret}
    )
    sqs, url = boto3.client("sqs"), os.environ["REQUEST_QUEUE_URL"]
    message = {"v": 2, "object": "product", "params": {"name": "accepted"}, "context_id": "c"}
    for more in (
        {"stripe_secret": key, "worker_id": "w"},
        {"stripe_secret": key},
        {"sealed_secret": key},
    ):
        sqs.send_message(QueueUrl=url, MessageBody=json.dumps(message | more))


def _post(handler: Any, path: str, body: str, headers: dict[str, str] | None = None) -> Any:
    return handler.answer(http_event("POST", path, body, headers=headers), Context())


def _call_stripe() -> None:
    """Receive the messages on the queue, as SQS and Lambda do. The last receive of a message comes early."""
    log = lambda_log("stripe_caller")
    settings = CallerSettings.from_env()
    handler = stripe_caller.compose(settings, stripe_caller.connect(settings, log), log)
    sqs, url = boto3.client("sqs"), os.environ["REQUEST_QUEUE_URL"]
    for round_ in range(ROUNDS):
        records = []
        while got := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            records += got
            for one in got:
                sqs.delete_message(QueueUrl=url, ReceiptHandle=one["ReceiptHandle"])
        receives = str(settings.max_receives if round_ == ROUNDS - 1 else 1)
        # One by one and the 429s last, because a 429 stops the calls beside it or after it.
        for one in sorted(records, key=lambda one: '"name":"deferred"' in one["Body"]):
            event = {"Records": [_record(one, receives)]}
            if handler(event, Context(left_ms=LEFT_MS))["batchItemFailures"]:  # type: ignore[arg-type]
                sqs.send_message(QueueUrl=url, MessageBody=one["Body"])


def _record(message: Any, receives: str) -> dict[str, Any]:
    attributes = {
        "ApproximateReceiveCount": receives,
        "SentTimestamp": str(int(time.time() * 1000)),
    }
    return {"messageId": message["MessageId"], "body": message["Body"], "attributes": attributes}


async def _run_flows() -> None:
    log = lambda_log("flow_runner")
    settings = RunnerSettings.from_env()
    server = flow_runner.compose(
        settings,
        flow_runner.connect(
            settings, log, consumer="one", queue=flow_runner.queue_on_demand(settings)
        ),
    )
    await answer_doorbells({}, Context(left_ms=300_000), server, log)  # type: ignore[arg-type]
    log.flush()


def _request_ids(answers: list[Any]) -> list[str]:
    ids = [json.loads(one["body"]).get("request_id") for one in answers if "body" in one]
    return [request_id for request_id in ids if request_id]


def _ask_statuses(handler: Any, request_ids: list[str]) -> list[Any]:
    paths = [f"/v1/requests/{request_id}" for request_id in request_ids]
    return [handler.answer(http_event("GET", path), Context()) for path in paths]


def _operate(key: str) -> list[Any]:
    """Run each command of an operator, also with the key in each argument and in the event itself."""
    handler: Any = operator_function.compose(OperatorSettings.from_env(), lambda_log("operator"))
    paused = {"all": True, "by": f"ada with {key}"}
    asked = [
        *({"command": name, "arguments": {}} for name in COMMANDS),
        *({"command": name, "arguments": {key: key}, "caller": key} for name in COMMANDS),
        *(
            {"command": name, "arguments": {argument: value}, "caller": key}
            for name in COMMANDS
            for argument in _ARGUMENTS
            for value in (key, [key], {key: key})
        ),
        {"command": "pause", "arguments": paused},
        {"command": "limits show", "arguments": {}},
        {"command": "resume", "arguments": {"lane": "batch"}},
        {"command": "dlq redrive", "arguments": {"dry_run": True}},
        {"command": "dlq show", "arguments": {"request_id": key}},
        {"command": key},
        {key: key},
        key,
    ]
    return [handler(event, Context(left_ms=300_000)) for event in asked]


_ARGUMENTS = (
    *("request_id", "tenant", "trace", "account", "mode", "operation", "limit", "key", "lane"),
    *("by", "reason", "kind", "worker_id", "older_than_s", "cursor", "context", "same_account"),
)


def _print_what_is_readable(answers: list[Any]) -> None:
    """Print the answers, every key of Redis with its value, and every message on a queue, also a delayed one."""
    print("ANSWERS", answers)
    with Redis.from_url(os.environ["REDIS_URL"]) as redis:
        for name in redis.scan_iter():
            print("REDIS", name, _value(redis, name))
    region = os.environ["AWS_DEFAULT_REGION"]
    for queue in sqs_backends[DEFAULT_ACCOUNT_ID][region].queues.values():
        for message in queue._messages:
            print("QUEUE", queue.name, vars(message))


def _value(redis: Any, name: bytes) -> Any:
    read = {
        b"string": lambda: redis.get(name),
        b"hash": lambda: redis.hgetall(name),
        b"list": lambda: redis.lrange(name, 0, -1),
        b"set": lambda: redis.smembers(name),
        b"zset": lambda: redis.zrange(name, 0, -1, withscores=True),
        b"stream": lambda: redis.xrange(name),
    }
    return read[redis.type(name)]()


class _QuotingStripe(BaseHTTPRequestHandler):
    """Ends each create as its name says, and quotes the headers of the request in every answer."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer(200, {"id": "acct_1", "object": "account", "data": [], "has_more": False})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        end = next((name for name in _ENDS if f"name={name}" in body), "accepted")
        status, quoted = _ENDS[end], str(self.headers)
        if status is None:
            self.close_connection = True
            return
        error = {"type": "card_error", "code": quoted, "message": quoted, "param": quoted}
        said: dict[str, Any] = {"id": "prod_1", "object": "product", "description": quoted}
        self._answer(status, said if status == 200 else {"error": error, "doc": quoted})

    def _answer(self, status: int, said: dict[str, Any]) -> None:
        text = json.dumps(said | dict.fromkeys(self.headers.values(), 1)).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.send_header("Request-Id", self.headers["Authorization"])
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Print nothing: this is Stripe's log."""


_ENDS: dict[str, int | None] = {
    "accepted": 200,
    "declined": 402,
    "refused": 400,
    "forbidden": 403,
    "failed": 500,
    "crashed": None,
    "deferred": 429,
}
"""The status that ends each create. None: the connection is closed without an answer."""

if __name__ == "__main__":
    main(*sys.argv[1:])
