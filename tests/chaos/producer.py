"""The producer of a chaos run. It submits requests over every way in at the same time, at a steady rate."""

from __future__ import annotations

import json
import os
import threading
import time
import uuid
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import boto3
import httpx
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from tests.chaos.chaos_names import POISONED_KEY, SUBJECT, TENANT_HEADER
from tests.chaos.requests_made import LOCAL, Wanted, make, rival_of
from tests.chaos.subscriptions import DEMO_KEY
from tests.chaos.targets import Targets

from paydispatch import Dispatcher
from paydispatch.adapters.aws.kms import KmsSealer
from paydispatch.adapters.clock import SystemClock
from paydispatch.domain.claims import claim_of
from paydispatch.domain.credentials import Binding, SecretRef, StripeKey
from paydispatch.domain.envelope import Envelope
from paydispatch.domain.errors import NotDelivered
from paydispatch.domain.identity.request_ids import request_id_for_repeat
from paydispatch.domain.message.read_message import Malformed, read_message
from paydispatch.domain.stripe.operations import operation_named

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator, Mapping

    from tests.chaos.plan import Plan
    from tests.chaos.requests_made import Book

    from paydispatch.local.addresses import Addresses
    from paydispatch.sdk.receipt import Receipt

SHARES = {"sdk_sqs": 0.35, "sdk_http": 0.15, "gateway": 0.2, "batches": 0.1, "queue": 0.2}
PATIENCE_S = 120.0
BATCH = 10
REPEATED_KEYS = 0.25
POISONED_BATCHES = 0.15
RIVALS = 0.12
"""The share of the API's requests for which the producer sends another body under the same id and key."""
_NO_RETRY = Config(connect_timeout=2, read_timeout=5, retries={"total_max_attempts": 1})


Body = tuple[str, str, Wanted | None]
"""A queue message: its name, its text, and its request, or None if the message cannot be attributed."""


class Producer:
    """One thread per way in.

    `join` returns when every request is accepted or given up. Those given up are in the book's surprises.
    """

    def __init__(
        self,
        plan: Plan,
        addresses: Addresses,
        book: Book,
        subscriptions: Mapping[str, dict[str, Any]],
    ) -> None:
        self._plan = plan
        self._addresses = addresses
        self._subscriptions = subscriptions
        self._targets = Targets(addresses.stripe_base)
        self._book = book
        self._ways: dict[str, Callable[[str, Iterator[int]], None]] = {
            "sdk_sqs": self._sdk_sqs,
            "sdk_http": self._sdk_http,
            "gateway": self._api,
            "batches": self._batches,
            "queue": self._queue,
        }
        self._threads = [
            threading.Thread(target=self._run_way, args=(way,), name=way) for way in SHARES
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    @property
    def busy(self) -> bool:
        return any(thread.is_alive() for thread in self._threads)

    def join(self) -> None:
        for thread in self._threads:
            thread.join()

    def _run_way(self, way: str) -> None:
        try:
            self._ways[way](way, self._pace(round(SHARES[way] * self._plan.requests)))
        except Exception as error:
            self._book.surprises.append(f"{way} ended early: {type(error).__name__}: {error}")

    def _pace(self, count: int) -> Iterator[int]:
        """Yield the numbers up to `count` evenly over the time of the run. Yield a late number at once."""
        started = time.monotonic()
        for number in range(count):
            due = started + self._plan.lasts_s * number / count
            time.sleep(max(0.0, due - time.monotonic()))
            yield number

    def _make(self, way: str, number: int, dice: random.Random) -> Wanted:
        return make(self._plan, way, number, dice, self._subscriptions, self._targets)

    def _sdk_sqs(self, way: str, numbers: Iterator[int]) -> None:
        self._sdk(Dispatcher.from_env(delivery_timeout_s=PATIENCE_S), way, numbers)

    def _sdk_http(self, way: str, numbers: Iterator[int]) -> None:
        dispatcher = Dispatcher.http(self._addresses.api, delivery_timeout_s=PATIENCE_S)
        self._sdk(dispatcher, way, numbers)

    def _sdk(self, dispatcher: Dispatcher, way: str, numbers: Iterator[int]) -> None:
        dice = self._plan.dice(way)
        receipts: list[tuple[Receipt, Wanted]] = []
        try:
            with dispatcher:
                for number in numbers:
                    wanted = replace(self._make(way, number, dice), tenant=LOCAL)
                    receipts.append((self._submit(dispatcher, wanted, dice), wanted))
        except NotDelivered as left:
            self._book.surprises.append(f"{way}: {left}")
        for receipt, wanted in receipts:
            if receipt.durable:
                self._book.note(receipt.request_id, wanted, way)

    def _submit(self, dispatcher: Dispatcher, wanted: Wanted, dice: random.Random) -> Receipt:
        """Submit the request. Submit some twice under one idempotency key, which must make one request."""
        twice = dice.random() < 0.1
        options: dict[str, Any] = {
            "path": wanted.path,
            "lane": wanted.lane,
            "deadline_s": wanted.deadline_s,
        }
        if twice:
            options["idempotency_key"] = f"key {self._plan.seed} {wanted.n}"
        place = (
            wanted.operation,
            wanted.params,
            wanted.worker_id,
            wanted.context_id,
            _credential(wanted),
        )
        if twice:
            dispatcher.submit(*place, **options)
        return dispatcher.submit(*place, **options)

    def _api(self, way: str, numbers: Iterator[int]) -> None:
        dice = self._plan.dice(way)
        with httpx.Client(base_url=self._addresses.api, timeout=35.0) as client:
            for number in numbers:
                wanted = self._make(way, number, dice)
                request_id = self._post_until_accepted(client, wanted)
                if request_id is None:
                    self._book.surprises.append(f"{way}: {wanted.n} was never accepted")
                    continue
                self._book.note(request_id, wanted, way)
                if dice.random() < REPEATED_KEYS:
                    self._expect_same_request(client, wanted, request_id)
                if wanted.tenant == LOCAL and not wanted.path and dice.random() < RIVALS:
                    self._expect_a_conflict(client, wanted)
                    self._send_rival(wanted, request_id)

    def _expect_a_conflict(self, client: httpx.Client, wanted: Wanted) -> None:
        """Post another body under the same key. The API must refuse it, however the first request ends."""
        rival = rival_of(wanted)
        headers = {"Idempotency-Key": self._key(wanted)}
        for _ in self._tries():
            try:
                answer = client.request(*_call(rival), json=_body(rival), headers=headers)
            except httpx.RequestError:
                continue
            if answer.status_code in (503, 504):
                continue
            if answer.status_code != 409:
                self._book.surprises.append(
                    f"no conflict: {answer.status_code} {answer.text[:300]}"
                )
            return

    def _send_rival(self, wanted: Wanted, request_id: str) -> None:
        """Send another body under the same id to the queue. Its worker must get an error under another id."""
        rival = rival_of(wanted)
        text = json.dumps(_fields(rival) | {"request_id": request_id})
        read = read_message(text, message_id="", sent_at=time.time())
        if isinstance(read, Malformed):
            raise TypeError(read)
        error_id = claim_of(read, LOCAL, time.time()).as_second_request().request_id
        sqs = boto3.client("sqs", config=_NO_RETRY)
        if self._send_bodies(sqs, [text], rival.lane):
            self._book.note(error_id, rival, "rivals", poison=True)
        else:
            self._book.surprises.append(f"the queue never took the rival of {wanted.n}")

    def _key(self, wanted: Wanted) -> str:
        return f"gateway {self._plan.seed} {wanted.n}"

    def _expect_same_request(self, client: httpx.Client, wanted: Wanted, request_id: str) -> None:
        """Post again under the same key. A request that ended without an effect is repeated under a new id."""
        again = self._post_until_accepted(client, wanted)
        if again == request_id_for_repeat(request_id, 1):
            self._book.note(again, wanted, "repeats")
        elif again != request_id:
            self._book.surprises.append(f"one idempotency key, two requests: {request_id}, {again}")

    def _post_until_accepted(self, client: httpx.Client, wanted: Wanted) -> str | None:
        """Post until the API accepts or refuses. Repeat under one key while the API is killed or unavailable."""
        headers = {"Idempotency-Key": self._key(wanted), **_tenant_headers(wanted)}
        for _ in self._tries():
            try:
                answer = client.request(*_call(wanted), json=_body(wanted), headers=headers)
            except httpx.RequestError:
                continue
            if answer.status_code == 202:
                return str(answer.json()["request_id"])
            if answer.status_code not in (503, 504):
                self._book.surprises.append(f"the API: {answer.status_code} {answer.text[:300]}")
                return None
        return None

    def _batches(self, way: str, numbers: Iterator[int]) -> None:
        dice = self._plan.dice(way)
        with httpx.Client(base_url=self._addresses.api, timeout=35.0) as client:
            for group in _group(numbers):
                made = [self._make(way, number, dice) for number in group]
                wanted = [replace(one, tenant=made[0].tenant) for one in made]  # one caller
                if wanted[0].tenant != LOCAL:
                    wanted = [replace(one, secret_ref=None) for one in wanted]
                items = [_item(one, f"batch {self._plan.seed} {one.n}") for one in wanted]
                if dice.random() < POISONED_BATCHES:
                    items.append({**items[0], "params": {"nonsense": 1}, "idempotency_key": "x"})
                self._post_batch(client, wanted, items)

    def _post_batch(
        self, client: httpx.Client, wanted: list[Wanted], items: list[dict[str, Any]]
    ) -> None:
        """Post the batch until every item is accepted. The invalid item is last and must not stop the others."""
        left = {one.n: one for one in wanted}
        for _ in self._tries():
            try:
                answer = client.post(
                    "/v1/batches", json={"requests": items}, headers=_tenant_headers(wanted[0])
                )
                results = answer.json()["results"]
            except (httpx.RequestError, ValueError, KeyError):
                continue
            for one, result in zip(wanted, results, strict=False):
                if result.get("status") != "refused":
                    self._book.note(result["request_id"], one, "batches")
                    left.pop(one.n, None)
            if not left:
                return
        self._book.surprises.append(f"batches: {sorted(left)} were never accepted")

    def _queue(self, way: str, numbers: Iterator[int]) -> None:
        """Write messages directly to the queue, as a program may. Add a poison message to some of the batches."""
        dice = self._plan.dice(way)
        sqs = boto3.client("sqs", config=_NO_RETRY)
        self._sealer = KmsSealer(boto3.client("kms"), os.environ["SEALING_KEY_ID"], SystemClock())
        for group in _group(numbers):
            made = [self._for_queue(self._make(way, number, dice)) for number in group]
            wanted = [replace(one, lane=made[0].lane) for one in made]  # one call, one queue
            bodies: list[Body] = [(one.n, self._message(one, dice), one) for one in wanted[:-1]]
            last = wanted[-1]
            if not last.path and dice.random() < POISONED_BATCHES * 2:
                bodies.append(self._make_poison(last, dice))
            else:
                bodies.append((last.n, self._message(last, dice), last))
            dice.shuffle(bodies)
            self._send(sqs, bodies, wanted[0].lane)

    def _for_queue(self, wanted: Wanted) -> Wanted:
        """Return the request with the customer, or the object, of the account that it will reach."""
        named = wanted.tenant == LOCAL and wanted.secret_ref is None
        if named and wanted.path:
            return replace(wanted, path=self._targets.path_for(wanted.operation, DEMO_KEY))
        if not named or wanted.object != "subscription":
            return wanted
        return replace(wanted, params={**wanted.params, **self._subscriptions[DEMO_KEY]})

    def _message(self, wanted: Wanted, dice: random.Random) -> str:
        """Return the message of a direct producer.

        For the queue's tenant it names a secret. For another tenant it holds a sealed key.
        """
        fields = _fields(wanted) | {"request_id": f"pdr_{uuid.UUID(int=dice.getrandbits(128)).hex}"}
        if wanted.tenant != LOCAL:
            principal = f"{wanted.tenant}/{SUBJECT}"
            binding = Binding(principal, wanted.worker_id, wanted.context_id)
            del fields["secret_ref"]
            fields["principal"] = principal
            fields["sealed_secret"] = self._sealer.seal(StripeKey(wanted.key), binding)
        return json.dumps(fields)

    def _make_poison(self, wanted: Wanted, dice: random.Random) -> Body:
        """Return a message that must be refused, with its request, or None if it cannot be attributed."""
        own = replace(wanted, tenant=LOCAL)
        message = json.loads(self._message(own, dice))
        kind = dice.choice(list(_POISON))
        if kind == "not_json":
            return wanted.n, f"not JSON {wanted.n}", None
        _POISON[kind](message, wanted.n)
        text = json.dumps(message)
        if kind == "escaped":
            text = text.replace(POISONED_KEY, POISONED_KEY.replace("_", "\\u005f"))
        return wanted.n, text, None if kind in _UNATTRIBUTABLE else own

    def _send(self, sqs: Any, bodies: list[Body], lane: str) -> None:
        if self._send_bodies(sqs, [body for _, body, _ in bodies], lane):
            self._note_sent(bodies)
        else:
            self._book.surprises.append(f"the queue never took {[n for n, _, _ in bodies]}")

    def _send_bodies(self, sqs: Any, bodies: list[str], lane: str) -> bool:
        """Send until the queue has all messages. After a call without an answer, the repeat may send duplicates."""
        urls = {"batch": self._addresses.batch_queue_url, "interactive": self._addresses.queue_url}
        entries = [{"Id": str(i), "MessageBody": body} for i, body in enumerate(bodies)]
        for _ in self._tries():
            try:
                answer = sqs.send_message_batch(QueueUrl=urls[lane], Entries=entries)
            except (BotoCoreError, ClientError):
                continue
            if not answer.get("Failed"):
                return True
        return False

    def _note_sent(self, bodies: list[Body]) -> None:
        for n, body, wanted in bodies:
            if wanted is None:
                self._book.unattributable.append(n)
                continue
            read = read_message(body, message_id="", sent_at=time.time())
            if isinstance(read, Envelope):
                poison = read.sealed_secret == NO_SEAL or "nonsense" in read.params
                self._book.note(read.request_id, wanted, "queue", poison=poison)
            elif read.address is not None:
                self._book.note(read.address.request_id, wanted, "queue", poison=True)

    def _tries(self) -> Iterator[int]:
        give_up_at = time.monotonic() + PATIENCE_S
        number = 0
        while time.monotonic() < give_up_at:
            yield number
            number += 1
            time.sleep(min(2.0, 0.1 * 2**number))


NO_SEAL = "bm90IHNlYWxlZA"


def _put_key_in_clear(message: dict[str, Any], n: str) -> None:
    message["stripe_secret"] = POISONED_KEY


def _put_key_in_name(message: dict[str, Any], n: str) -> None:
    message["params"]["metadata"][f"{POISONED_KEY} {n}"] = "1"


def _put_key_in_value(message: dict[str, Any], n: str) -> None:
    message["params"]["description"] = f"{n} glued to{POISONED_KEY}"


def _put_unknown_param(message: dict[str, Any], n: str) -> None:
    message["params"] = {"nonsense": n}


def _break_seal(message: dict[str, Any], n: str) -> None:
    del message["secret_ref"]
    message["sealed_secret"] = NO_SEAL


def _remove_worker(message: dict[str, Any], n: str) -> None:
    del message["worker_id"]


def _forge_principal(message: dict[str, Any], n: str) -> None:
    """Name the principal of another tenant without a seal that proves it."""
    message["principal"] = f"acme/{SUBJECT}"


_POISON: dict[str, Callable[[dict[str, Any], str], None]] = {
    "not_json": _remove_worker,
    "no_worker": _remove_worker,
    "forged": _forge_principal,
    "plaintext": _put_key_in_clear,
    "name": _put_key_in_name,
    "value": _put_key_in_value,
    "escaped": _put_key_in_value,
    "params": _put_unknown_param,
    "sealed": _break_seal,
}
_UNATTRIBUTABLE = ("no_worker", "forged")


def _credential(wanted: Wanted) -> StripeKey | SecretRef:
    return SecretRef(wanted.secret_ref) if wanted.secret_ref else StripeKey(wanted.key)


def _call(wanted: Wanted) -> tuple[str, str]:
    """Return the HTTP method and the path of the request at the API."""
    operation = operation_named(wanted.operation)
    return operation.method, operation.endpoint(wanted.path)


def _tenant_headers(wanted: Wanted) -> dict[str, str]:
    return {} if wanted.tenant == LOCAL else {TENANT_HEADER: wanted.tenant}


def _body(wanted: Wanted) -> dict[str, Any]:
    fields = {
        "worker_id": wanted.worker_id,
        "context_id": wanted.context_id,
        "stripe_secret": None if wanted.secret_ref else wanted.key,
        "secret_ref": wanted.secret_ref,
        "params": wanted.params,
        "lane": wanted.lane,
        "deadline_s": wanted.deadline_s,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _item(wanted: Wanted, key: str) -> dict[str, Any]:
    named = {"operation": wanted.operation, "path": wanted.path}
    return {**named, "idempotency_key": key, **_body(wanted)}


def _fields(wanted: Wanted) -> dict[str, Any]:
    """Return a message of the queue's tenant without an id."""
    fields = {
        "v": 2,
        "object": wanted.object,
        "operation": wanted.operation,
        "path": wanted.path,
        "params": wanted.params,
        "worker_id": wanted.worker_id,
        "context_id": wanted.context_id,
        "secret_ref": wanted.secret_ref or "demo",
        "lane": wanted.lane,
    }
    if wanted.deadline_s is not None:
        fields["deadline_at"] = time.time() + wanted.deadline_s
    return fields


def _group(numbers: Iterator[int]) -> Iterator[list[int]]:
    group: list[int] = []
    for number in numbers:
        group.append(number)
        if len(group) == BATCH:
            yield group
            group = []
    if group:
        yield group
