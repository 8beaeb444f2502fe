"""The twin itself: it takes a call and returns an exchange, without sockets and without sleeping.

receive    401, 404 → limits → fault `before` → validation → idempotency → execution
settle     after the latency: releases the idempotency key and closes the attempt in the ledger
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from paydispatch.domain.stripe.resources import RESOURCES
from paydispatch.domain.stripe.stripe_version import STRIPE_API_VERSION
from paydispatch.twin.accounts import authenticate, check_may_ask, connected_account
from paydispatch.twin.clock import TwinClock
from paydispatch.twin.events.book import EVENTS, EventBook
from paydispatch.twin.events.event import Cause
from paydispatch.twin.events.webhooks import Webhooks
from paydispatch.twin.faults import Faults
from paydispatch.twin.idempotency import IdempotencyLayer, Saved
from paydispatch.twin.ledger import Ledger
from paydispatch.twin.objects.addresses import answered_kinds
from paydispatch.twin.objects.collection import Collection
from paydispatch.twin.objects.naming import Naming
from paydispatch.twin.objects.store import Store
from paydispatch.twin.rate_limits import RateLimits, Rates
from paydispatch.twin.reads import Reads
from paydispatch.twin.wire.errors import StripeError
from paydispatch.twin.wire.exchange import Exchange
from paydispatch.twin.wire.expand_paths import check_expand
from paydispatch.twin.wire.forms import nest
from paydispatch.twin.wire.requests import ACCOUNT, Request, understand
from paydispatch.twin.wire.validation import read_params
from paydispatch.twin.writes import Write, Writes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from paydispatch.domain.stripe.operations import Operation
    from paydispatch.domain.stripe.resources import Resource
    from paydispatch.twin.accounts import Account
    from paydispatch.twin.objects.store import StripeObject
    from paydispatch.twin.wire.calls import Call


class StripeTwin:
    """One Stripe with all its accounts.

    With `strict`, a parameter may name only objects that exist, and a create must keep the rules of Stripe. The same
    `seed` gives the same ids and faults again.
    """

    def __init__(
        self,
        *,
        strict: bool = True,
        seed: int | None = None,
        rates: Rates | None = None,
        clock: TwinClock | None = None,
        resources: Sequence[Resource] = RESOURCES,
    ) -> None:
        self.clock = clock or TwinClock()
        self.faults = Faults(seed)
        self.limits = RateLimits(rates or Rates.unlimited())
        self._strict = strict
        self._seed = seed
        self._by_endpoint = {row.endpoint: Collection(row.name, row.endpoint) for row in resources}
        self._by_endpoint[EVENTS.endpoint] = EVENTS
        self._kinds = {row.name for row in resources}
        self.events = EventBook(seed)
        self.webhooks = Webhooks(seed)
        self.forget()

    def forget(self) -> None:
        """Delete every object, event, key, attempt, effect and count. Rules, limits, webhooks and the clock stay."""
        self.ledger = Ledger()
        self.limits.counts.clear()
        self._naming = Naming(self._seed)
        self._idempotency = IdempotencyLayer()
        self.events.forget()
        self._store = store = Store()
        self._writes = Writes(store, self._naming, self._kinds, strict=self._strict)
        self._reads = Reads(store)

    def put(self, account: Account, kind: str, fields: Mapping[str, Any]) -> StripeObject:
        """Store an object with these fields, as if it had always been there. Raises `StripeError` (400)."""
        now = self.clock.now()
        made = self._writes.put(account, kind, fields, int(now))
        self.events.record(account, self._store.take_changes(), Cause(), now)
        return made

    def receive(self, call: Call) -> Exchange:
        """Execute a call and return its answer, which the transport sends after `delay_ms`."""
        exchange = Exchange(call, self._naming.request_id(), STRIPE_API_VERSION, self.clock.now())
        if call.method in ("POST", "DELETE"):
            exchange.attempt = self.ledger.open(
                at=self.clock.now(),
                path=call.path,
                idempotency_key=call.headers.get("idempotency-key"),
                request_id=exchange.request_id,
            )
        try:
            self._serve(call, exchange)
        except StripeError as error:
            exchange.refuse(error)
        except Exception:
            self._leave(exchange)
            raise
        return exchange

    def settle(self, exchange: Exchange) -> None:
        """Release the idempotency key and close the attempt. Call it when the latency is over and the answer leaves."""
        if exchange.entry is not None:
            exchange.entry.running = False
        self._leave(exchange)
        if exchange.attempt is not None:
            exchange.attempt.status = exchange.seen_status
            self.ledger.close(exchange.attempt)

    def _leave(self, exchange: Exchange) -> None:
        """End the call's part in the calls in flight of its account."""
        if exchange.in_flight is not None:
            self.limits.leave(*exchange.in_flight)
            exchange.in_flight = None

    def _serve(self, call: Call, exchange: Exchange) -> None:
        account = authenticate(call.headers)
        request = understand(call, self._by_endpoint)
        exchange.meet(request, self.faults.decide(request.facts()))
        self.limits.take(account, request.limited_as, self.clock.now())
        exchange.in_flight = (account, request.limited_as)
        exchange.verdict.raise_if("before")
        if request.collection is ACCOUNT:
            check_may_ask(call.headers)
        if request.operation is not None:
            self._write(request, request.operation, account, exchange)
        else:
            exchange.answer(200, self._read(request, account, exchange.stripe_version))
            exchange.verdict.raise_if("during", "after")

    def _read(self, request: Request, account: Account, version: str) -> bytes:
        params = nest(request.pairs)
        if request.collection is ACCOUNT:
            return json.dumps(account.as_json()).encode()
        if request.collection is EVENTS:
            return self._read_events(account, request.object_id, params)
        kinds = request.place.kinds if request.place else (request.collection.name,)
        check_expand(params, *kinds, is_list=request.object_id is None, version=version)
        if request.place is not None:
            return self._reads.read_place(account, request.place, params)
        if request.object_id is None:
            return self._reads.list(account, request.collection, params)
        return self._reads.retrieve(account, request.collection.name, request.object_id, params)

    def _read_events(
        self, account: Account, event_id: str | None, params: Mapping[str, Any]
    ) -> bytes:
        if event_id is None:
            return self.events.list(account, params, self.clock.now())
        return self.events.retrieve(account, event_id, self.clock.now())

    def _write(
        self, request: Request, operation: Operation, account: Account, exchange: Exchange
    ) -> None:
        """Answer a write through the idempotency layer.

        Raises each `StripeError` that Stripe answers before that layer.
        """
        params = read_params(operation, nest(request.pairs), exchange.stripe_version)
        check_expand(params, *answered_kinds(operation), version=exchange.stripe_version)
        key = request.idempotency_key
        write = Write(operation, request.ids, params, account, exchange.stripe_version)
        connected = connected_account(exchange.call_headers)
        exchange.cause = Cause(exchange.request_id, key, connected, operation.name)
        if key is None:
            self._execute(write, exchange)
            return
        now = self.clock.now()
        found = self._idempotency.claim(account, key, request.path, request.pairs, now)
        if isinstance(found, Saved):
            exchange.replay(found)
            return
        exchange.entry = found
        try:
            self._execute(write, exchange)
        except BaseException:
            self._idempotency.forget(account, key)
            raise
        found.saved = exchange.to_saved()

    def _execute(self, write: Write, exchange: Exchange) -> None:
        """Run the write and set its result, an object or a `StripeError`, as the answer."""
        now = self.clock.now()

        def record(stripe_object: StripeObject) -> None:
            if exchange.attempt is not None:
                exchange.attempt.executed = True
                self.ledger.record(
                    stripe_object, write.account, exchange.attempt, write.params, now
                )

        try:
            exchange.verdict.raise_if("during")
            exchange.answer(200, self._run(write, exchange.cause, now, record))
            exchange.verdict.raise_if("after")
        except StripeError as error:
            exchange.refuse(error)

    def _run(
        self, write: Write, cause: Cause, now: float, record: Callable[[StripeObject], None]
    ) -> bytes:
        """Run the write, and record the events of its changes, also of those before a declined card."""
        try:
            return self._writes.execute(write, int(now), record)
        finally:
            self.events.record(write.account, self._store.take_changes(), cause, now)
