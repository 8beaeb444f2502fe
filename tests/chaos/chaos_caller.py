"""The real Stripe caller with wrapped ports that can kill it, and a queue that delivers duplicates.

It is a Lambda entry point like `stripe_caller.app.handler`. The pollers of the local stack load it by name.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from tests.chaos.chaos_names import POISONED_KEY, REPEATED_SHARE, SEED
from tests.chaos.points import (
    ANSWERED,
    CLAIMED,
    CLOSED,
    DEFERRED,
    OPENED,
    OPENED_SEND,
    PUBLISHED,
    PUBLISHING,
    STATUS_WRITTEN,
    UNKNOWN,
    Points,
)
from tests.chaos.wrapping import Wrapper

from paydispatch.compose.async_lambda import lambda_log
from paydispatch.compose.stripe_caller import compose, connect
from paydispatch.domain.attempts import Answered, Unknown
from paydispatch.settings import CallerSettings

if TYPE_CHECKING:
    from paydispatch.services.calls.call import CallPorts

_KEY_IN_CLEAR = re.compile(r"\b[sr]k_(?:test|live)_\w+")
_QUEUES = ("REQUEST_QUEUE_URL", "BATCH_QUEUE_URL")
_LONGEST_DELAY_S = 20


class Gateway(Wrapper):
    async def call(self, **call: Any) -> Any:
        attempt = await self.inner.call(**call)
        if isinstance(attempt, Answered):
            self.points.reach(ANSWERED, call["request_id"])
        if isinstance(attempt, Unknown):
            self.points.reach(UNKNOWN, call["request_id"])
        return attempt


class Vault(Wrapper):
    async def open(self, envelope: Any) -> Any:
        key = await self.inner.open(envelope)
        self.points.reach(OPENED, envelope.request_id)
        return key


class Requests(Wrapper):
    async def claim(self, claim: Any) -> Any:
        state = await self.inner.claim(claim)
        self.points.reach(CLAIMED, claim.request_id)
        return state

    async def send(self, claim: Any, send: Any) -> Any:
        answer = await self.inner.send(claim, send)
        self.points.reach(OPENED_SEND, claim.request_id)
        return answer

    async def close(self, claim: Any, error: Any, **how: Any) -> Any:
        stands = await self.inner.close(claim, error, **how)
        self.points.reach(CLOSED, claim.request_id)
        return stands

    async def write_status(self, entry: Any) -> None:
        await self.inner.write_status(entry)
        self.points.reach(STATUS_WRITTEN, entry.request_id)


class Outcomes(Wrapper):
    async def publish(self, entry: Any) -> Any:
        # Kill Redis in the next turn of the loop, when the script is on its way. Redis may or may not have run it.
        loop = asyncio.get_running_loop()
        loop.call_soon(self.points.reach_redis, PUBLISHING, entry.request_id)
        first = await self.inner.publish(entry)
        self.points.reach(PUBLISHED, entry.request_id)
        return first


class Queue(Wrapper):
    async def defer(self, envelope: Any, delay_s: float, *, group: str | None = None) -> None:
        await self.inner.defer(envelope, delay_s, group=group)
        self.points.reach(DEFERRED, envelope.request_id)


class Repeater:
    """Sends some received messages once more, because SQS may deliver any message twice."""

    def __init__(self, share: float, seed: str) -> None:
        self._share = share
        self._dice = random.Random(seed)
        quick = Config(connect_timeout=1, read_timeout=1, retries={"total_max_attempts": 1})
        self._sqs = boto3.client("sqs", config=quick)
        self._urls = [os.environ[name] for name in _QUEUES]

    def repeat_some(self, records: list[dict[str, Any]]) -> None:
        for record in records:
            if self._dice.random() < self._share and _names_its_request(record["body"]):
                self._repeat(record)

    def _repeat(self, record: dict[str, Any]) -> None:
        queue = record["eventSourceARN"].rpartition(":")[2]
        url = next(url for url in self._urls if url.endswith(queue))
        delay_s = self._dice.choice((0, 0, 1, _LONGEST_DELAY_S))
        try:
            self._sqs.send_message(QueueUrl=url, MessageBody=record["body"], DelaySeconds=delay_s)
        except (BotoCoreError, ClientError) as error:
            print(f"not repeated: {type(error).__name__}", flush=True)
        else:
            print(json.dumps({"message": "chaos.repeated"}), flush=True)


def _names_its_request(body: str) -> bool:
    """Return whether the message has a request id. Without one, a copy of the message would be another request."""
    return '"request_id"' in body


def _report_receives(records: list[dict[str, Any]]) -> None:
    ids = [record["messageId"] for record in records]
    print(json.dumps({"message": "chaos.received", "ids": ids}), flush=True)


def _report_keys(records: list[dict[str, Any]]) -> None:
    for record in records:
        if set(_KEY_IN_CLEAR.findall(record["body"])) - {POISONED_KEY}:
            print(
                json.dumps({"message": "chaos.key_on_queue", "id": record["messageId"]}), flush=True
            )


def _add_chaos(ports: CallPorts, points: Points) -> CallPorts:
    return replace(
        ports,
        gateway=Gateway(ports.gateway, points),
        vault=Vault(ports.vault, points),
        requests=Requests(ports.requests, points),
        outcomes=Outcomes(ports.outcomes, points),
        queue=Queue(ports.queue, points),
    )


_settings, _log = CallerSettings.from_env(), lambda_log("stripe_caller")
_ports = _add_chaos(connect(_settings, _log), Points.of("caller"))
_call = compose(_settings, _ports, _log)
_repeater = Repeater(float(os.environ[REPEATED_SHARE]), f"{os.environ[SEED]} {os.getpid()}")


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    _report_receives(event["Records"])
    _report_keys(event["Records"])
    _repeater.repeat_some(event["Records"])
    return _call(event, context)
