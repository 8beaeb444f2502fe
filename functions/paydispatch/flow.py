"""The objects that a flow script works with, and the port that runs scripts.

    # flows/new_create_price_response.py
    def run(parsed_data, flow):
        flow.log.info("price %s is there", parsed_data["id"])
        flow.new_subscription().customer("cus_1").items([{"price": parsed_data["id"]}]).create_async()

A flow is done when it returns. `raise RetryLater(after_s=60)` runs it again later. Any other exception is a failure,
which runs the flow again with backoff, for hours unless its `RETRY` says otherwise. The requests that a flow dispatches
are sent when it returns. If it runs again, it dispatches the same requests under the same ids, so Stripe executes each
of them once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn, Protocol

from paydispatch.domain.envelope import Envelope, check_size
from paydispatch.domain.errors import InvalidField, ScriptFailed
from paydispatch.domain.identity.principal import QUEUE
from paydispatch.domain.identity.request_ids import follow_up_request_id, request_id_for_key
from paydispatch.domain.identity.slots import key_space
from paydispatch.domain.limits import DEFAULT_DEADLINE_S, REMEMBER_S
from paydispatch.domain.outcomes import FLOW_FAILED, Response, outcome_kind
from paydispatch.domain.parameters.check import require_valid_params
from paydispatch.domain.parameters.plain_values import take_params
from paydispatch.domain.parsed_error import ParsedError
from paydispatch.domain.progress import Progress
from paydispatch.domain.requests import (
    check_account,
    check_deadline,
    check_idempotency_key,
    check_params_shape,
    check_stripe_context,
    parse_lane,
)
from paydispatch.domain.stripe.operation_fields import check_path
from paydispatch.domain.stripe.operations import operation_named
from paydispatch.domain.stripe.stripe_version import STRIPE_API_VERSION
from paydispatch.domain.text.script_errors import error_text, leaves, traceback_text
from paydispatch.domain.trace_context import read_traceparent, trace_id_of
from paydispatch.flow_log import FlowLog
from paydispatch.sdk.builders import Builders
from paydispatch.sdk.receipt import Receipt

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from paydispatch.domain.entry import OutcomeEntry
    from paydispatch.domain.flow_retry import Retry
    from paydispatch.domain.requests import LaneName

__all__ = [
    "CLEAN_UP_S",
    "FLOW_FAILED",
    "Flow",
    "FlowScripts",
    "FollowUp",
    "ParsedError",
    "RetryLater",
    "script_end",
]

CLEAN_UP_S = 2.0
"""Seconds that a cancelled coroutine has to clean up. After that the runner no longer waits for it."""


class RetryLater(Exception):
    """Raised by a flow to run again in `after_s` seconds. It does not count as a failure.

    `after_s` is a number from 0 to 2,160,000: a request is remembered for 25 days. Any other value raises `ValueError`,
    which is a failure of the script. For a time that may be in the past, write `RetryLater(max(0, at - now))`.
    """

    def __init__(self, after_s: float = 60.0) -> None:
        number = isinstance(after_s, int | float) and not isinstance(after_s, bool)
        if not number or not 0 <= after_s <= REMEMBER_S:
            raise ValueError(
                f"after_s must be a number of seconds from 0 to {REMEMBER_S}, not {after_s!r}."
            )
        super().__init__(f"again in {after_s} s")
        self.after_s = float(after_s)


def script_end(error: BaseException) -> RetryLater | ScriptFailed:
    """Return how a script ended that raised `error`: it asked for a later run, or it failed.

    An exception group asks for a later run if it holds only `RetryLater`. The longest of their times counts.
    """
    raised = leaves(error)
    asked = [each for each in raised if isinstance(each, RetryLater)]
    if not asked or len(asked) < len(raised):
        return ScriptFailed(error_text(error), traceback_text(error))
    try:
        return RetryLater(max(each.after_s for each in asked))
    except Exception as wrong:  # the script has changed `after_s` to something else
        return ScriptFailed(error_text(wrong), traceback_text(wrong))


class FollowUp(Receipt):
    """The receipt of a request that a flow dispatched. It becomes durable when the flow returns."""

    __slots__ = ()

    def wait(self, timeout_s: float | None = None) -> NoReturn:
        raise RuntimeError(
            "A flow's requests go to the queue when it returns: do not wait for them."
        )

    def __await__(self) -> NoReturn:
        self.wait()

    def outcome(self, timeout_s: float) -> NoReturn:
        self.wait()

    def __str__(self) -> str:
        return f"{self.request_id} ({self.operation}): goes to the queue when this flow returns"


class Flow(Builders):
    """One run of one flow.

    `new_product()`, `new_price()` and so on start the next create of the same conversation. Every operation of
    `paydispatch.operations` is a method too: `flow.capture_payment_intent("pi_1").call_async()`.
    """

    def __init__(
        self,
        entry: OutcomeEntry,
        *,
        attempt: int,
        now_s: float,
        queue_tenant: str = "local",
        stripe_api_version: str = STRIPE_API_VERSION,
    ) -> None:
        super().__init__(self._dispatch)
        self._entry = entry
        self._now_s = now_s
        self._queue_tenant = queue_tenant
        self._stripe_api_version = stripe_api_version
        self._outbox: list[Envelope] = []
        self.attempt = attempt
        """The number of this run, from 1."""
        ids = {
            "request_id": entry.request_id,
            "worker_id": entry.worker_id,
            "context_id": entry.context_id,
        }
        if (trace_id := trace_id_of(entry.traceparent)) is not None:
            ids["trace_id"] = trace_id
        self.log = FlowLog(ids)

    @property
    def worker_id(self) -> str:
        return self._entry.worker_id

    @property
    def context_id(self) -> str:
        return self._entry.context_id

    @property
    def request_id(self) -> str:
        """The same on every run of this flow for this request."""
        return self._entry.request_id

    @property
    def operation(self) -> str:
        """The operation that was requested: `create_payment_intent`."""
        return self._entry.operation

    @property
    def object(self) -> str:
        return self._entry.object

    @property
    def principal(self) -> str:
        """The program that made the request: `tenant/subject`, or `queue`."""
        return self._entry.principal or QUEUE

    @property
    def tenant(self) -> str:
        """The tenant that the request, its worker and its secrets belong to."""
        return self._entry.tenant or self._queue_tenant

    @property
    def livemode(self) -> bool | None:
        """Whether the request was made in Stripe's live mode. None: neither the answer nor the account says so."""
        outcome, account = self._entry.outcome, self._entry.account
        said = outcome.body.get("livemode") if isinstance(outcome, Response) else None
        if isinstance(said, bool):
            return said
        return None if account is None else {"live": True, "test": False}.get(account.mode)

    @property
    def inferred(self) -> bool:
        """Whether the outcome was found in Stripe's lists, because the answer was lost."""
        return self._entry.inferred

    @property
    def path(self) -> Mapping[str, str]:
        """The ids in the path of the request, by name: `{"intent": "pi_1"}`. A create mostly has none."""
        return self._entry.path

    @property
    def params(self) -> Mapping[str, Any]:
        """The parameters of the request."""
        return self._entry.params

    @property
    def outbox(self) -> tuple[Envelope, ...]:
        """The requests that this run has dispatched so far."""
        return tuple(self._outbox)

    def _dispatch(
        self,
        operation: str,
        params: Mapping[str, Any],
        *,
        path: Mapping[str, str] | None = None,
        idempotency_key: str | None = None,
        lane: LaneName = "interactive",
        deadline_s: float | None = None,
        stripe_account: str | None = None,
        stripe_context: str | None = None,
        unchecked_params: Mapping[str, Any] | None = None,
        traceparent: str | None = None,
    ) -> FollowUp:
        """Put one request into this run's outbox. Raises `InvalidParams`, `InvalidField` or `TooLarge`."""
        entry = self._entry
        params, unchecked = take_params(params), take_params(unchecked_params or {})
        check_params_shape("unchecked_params", unchecked)
        row, ids = operation_named(operation), dict(path or {})
        check_path(row, ids)
        warnings = require_valid_params(operation, params, unchecked, self._stripe_api_version)
        check_deadline(deadline_s)
        check_account(stripe_account)
        check_stripe_context(stripe_context)
        check_idempotency_key(idempotency_key)
        if entry.sealed_secret is None and entry.secret_ref is None:
            raise InvalidField(
                "stripe_secret", "This conversation has no key: its message could not be read."
            )
        envelope = Envelope(
            request_id=self._follow_up_id(idempotency_key),
            object=row.object,
            operation=row.name,
            path=ids,
            params=params,
            unchecked_params=unchecked,
            worker_id=entry.worker_id,
            context_id=entry.context_id,
            accepted_at=self._now_s,
            progress=Progress(deadline_at=self._now_s + (deadline_s or DEFAULT_DEADLINE_S)),
            sealed_secret=entry.sealed_secret,
            secret_ref=entry.secret_ref,
            lane=parse_lane(lane),
            stripe_account=stripe_account or entry.stripe_account,
            stripe_context=stripe_context or entry.stripe_context,
            principal=self.principal,
            traceparent=read_traceparent(traceparent) or entry.traceparent,
        )
        check_size(envelope.as_message())
        self._outbox.append(envelope)
        for warning in warnings:
            self.log.warning("%s %s: %s", operation, envelope.request_id, warning.message)
        return FollowUp(
            request_id=envelope.request_id,
            operation=row.name,
            object_name=row.object,
            worker_id=entry.worker_id,
            context_id=entry.context_id,
        )

    def _follow_up_id(self, idempotency_key: str | None) -> str:
        if idempotency_key is not None:
            return request_id_for_key(key_space(self.tenant, self._queue_tenant), idempotency_key)
        end = outcome_kind(self._entry.outcome)
        return follow_up_request_id(self.request_id, len(self._outbox) + 1, end)


class FlowScripts(Protocol):
    """The flow scripts by name. An exception, an exit or a cancellation in a script ends that script only."""

    def names(self) -> Sequence[str]:
        """Return the names of all modules beside the scripts too, such as helpers. Raises `OSError`."""
        ...

    def has(self, name: str) -> bool:
        """Return whether there is a script of this name, without importing it. Never raises.

        A script that may be there counts as there, because another one must not run in its place.
        """
        ...

    def is_loaded(self, name: str) -> bool: ...

    def retry_of(self, name: str) -> Retry | None:
        """Return the script's own `RETRY`. None: it has none, or the script is not imported."""
        ...

    async def load(self, name: str) -> None:
        """Import the script within a bounded time. Raises `MissingFlow`, `RetryLater` or `ScriptFailed`."""
        ...

    async def run(self, name: str, argument: Any, flow: Flow) -> None:
        """Run the script's `run(argument, flow)`, sync or async. Raises as `load` does."""
        ...
