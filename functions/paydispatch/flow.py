"""What a flow sees: the outcome of its request, the conversation it belongs to, and how to go on.

    # flows/new_create_price_response.py
    def run(parsed_data, flow):
        flow.log.info("price %s is there", parsed_data["id"])
        flow.new_subscription().customer("cus_1").items([{"price": parsed_data["id"]}]).create_async()

A flow that returns is done. `raise RetryLater(after_s=60)` runs it again later; any other exception is a failure and
runs it again with backoff, a few times. What a flow dispatched counts when it returns, and not before: a repeat
dispatches the very same requests again, which are then the same requests to Stripe.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, MutableMapping
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

from paydispatch.domain.envelope import Envelope, check_size
from paydispatch.domain.errors import InvalidField, ScriptFailed
from paydispatch.domain.identity import OutcomeKind, follow_up_request_id, request_id_for_key
from paydispatch.domain.limits import DEFAULT_DEADLINE_S, REMEMBER_S
from paydispatch.domain.outcomes import ErrorKind, Response
from paydispatch.domain.parameters.check import require_valid_params
from paydispatch.domain.principal import QUEUE
from paydispatch.domain.progress import Progress
from paydispatch.domain.requests import (
    check_account,
    check_deadline,
    check_idempotency_key,
    check_stripe_context,
    parse_lane,
)
from paydispatch.domain.script_errors import error_text, leaves, traceback_text
from paydispatch.domain.slots import key_space
from paydispatch.sdk.builders import Builders
from paydispatch.sdk.receipt import Receipt

if TYPE_CHECKING:
    from paydispatch.domain.entry import OutcomeEntry
    from paydispatch.domain.outcomes import Certainty, Error, Outcome

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

FLOW_FAILED = "flow_failed"
"""The code of the error, of kind `dispatcher`, that takes a response's place when its script fails for good."""

CLEAN_UP_S = 2.0
"""A coroutine that is cancelled has this long to clean up. Then it is left to itself."""


class RetryLater(Exception):
    """Raised by a flow that wants to run again in `after_s` seconds. Does not count as a failure.

    From 0 to 2,160,000 seconds: 25 days, as long as a request is remembered. Anything else is a `ValueError`, and with
    that a failure of the script. For a moment that may have passed: `RetryLater(max(0, at - now))`.
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
    """Read how a script ended from what it raised: it asks for later, or it has failed.

    A group asks for later, by the longest time in it, if it holds nothing but `RetryLater`.
    """
    raised = leaves(error)
    asked = [each for each in raised if isinstance(each, RetryLater)]
    if not asked or len(asked) < len(raised):
        return ScriptFailed(error_text(error), traceback_text(error))
    try:
        return RetryLater(max(each.after_s for each in asked))
    except Exception as wrong:  # the script has put something else into `after_s`
        return ScriptFailed(error_text(wrong), traceback_text(wrong))


class ParsedError:
    """What an error flow gets. `str()` is the message; the fields are those of `Error`."""

    __slots__ = ("_error",)

    def __init__(self, error: Error) -> None:
        self._error = error

    def __str__(self) -> str:
        return self._error.message

    def __repr__(self) -> str:
        return f"ParsedError(kind={self.kind!r}, code={self.code!r}, message={self.message!r})"

    @property
    def message(self) -> str:
        return self._error.message

    @property
    def kind(self) -> ErrorKind:
        """`http` (network, timeout, exhausted), `api` (Stripe refused) or `dispatcher` (ours)."""
        return self._error.kind

    @property
    def code(self) -> str | None:
        return self._error.code

    @property
    def type(self) -> str | None:
        return self._error.type

    @property
    def decline_code(self) -> str | None:
        return self._error.decline_code

    @property
    def param(self) -> str | None:
        return self._error.param

    @property
    def http_status(self) -> int | None:
        return self._error.http_status

    @property
    def stripe_request_id(self) -> str | None:
        return self._error.stripe_request_id

    @property
    def attempts(self) -> int:
        return self._error.attempts

    @property
    def certainty(self) -> Certainty:
        """`not_created`, or `unknown`: the object may exist, so do not ask for it again under a new identity."""
        return self._error.certainty


class FollowUp(Receipt):
    """The receipt of a create a flow dispatched. It becomes durable when the flow returns."""

    __slots__ = ()

    def wait(self, timeout_s: float | None = None) -> NoReturn:
        raise RuntimeError(
            "A flow's creates go to the queue when it returns: do not wait for them."
        )

    def __await__(self) -> NoReturn:
        self.wait()

    def __str__(self) -> str:
        return f"{self.request_id} ({self.object}): goes to the queue when this flow returns"


_LINE_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {
    *("asctime", "level", "location", "message", "sampling_rate", "service", "timestamp"),
    *("exception", "exception_name", "exception_notes", "stack_trace", "xray_trace_id"),
}
"""What `logging` and the worker's own lines use themselves."""


class FlowLog(logging.LoggerAdapter[logging.Logger]):
    """A logger that knows the run's ids. What a flow gives as `extra` is kept beside them.

    A name in `extra` that is taken gets `extra_` in front: `extra_request_id`.
    """

    def __init__(self, ids: Mapping[str, str]) -> None:
        super().__init__(logging.getLogger("paydispatch.flows"), ids)
        self._taken = _LINE_FIELDS | ids.keys()

    def process(
        self, msg: Any, kwargs: MutableMapping[str, Any]
    ) -> tuple[Any, MutableMapping[str, Any]]:
        given = kwargs.get("extra")
        named = given if isinstance(given, Mapping) else {}
        return msg, {**kwargs, "extra": {**self._free(named), **(self.extra or {})}}

    def isEnabledFor(self, level: int) -> bool:  # noqa: N802 - the name is `logging`'s
        self.logger.disabled = (
            False  # a flow that configures `logging` disables what it does not name
        )
        return super().isEnabledFor(level)

    def _free(self, given: Mapping[Any, Any]) -> dict[str, Any]:
        names = ((str(name), value) for name, value in given.items())
        return {f"extra_{n}" if n in self._taken else n: value for n, value in names}


class Flow(Builders):
    """One run of one flow. `new_product()`, `new_price()` … are builders bound to this conversation and its key."""

    def __init__(
        self, entry: OutcomeEntry, *, attempt: int, now_s: float, queue_tenant: str = "local"
    ) -> None:
        super().__init__(self._dispatch)
        self._entry = entry
        self._now_s = now_s
        self._queue_tenant = queue_tenant
        self._outbox: list[Envelope] = []
        self.attempt = attempt
        """The number of this run, from 1."""
        ids = {
            "request_id": entry.request_id,
            "worker_id": entry.worker_id,
            "context_id": entry.context_id,
        }
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
        """What was asked of Stripe: `create_payment_intent`."""
        return self._entry.operation

    @property
    def object(self) -> str:
        return self._entry.object

    @property
    def principal(self) -> str:
        """The program that asked for the request: `tenant/subject`, or `queue`."""
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
        """Whether a look at Stripe stood in for its answer."""
        return self._entry.inferred

    @property
    def params(self) -> Mapping[str, Any]:
        """The parameters the object was to be created with."""
        return self._entry.params

    @property
    def outbox(self) -> tuple[Envelope, ...]:
        """What this run has dispatched so far."""
        return tuple(self._outbox)

    def _dispatch(
        self,
        object_name: str,
        params: Mapping[str, Any],
        *,
        idempotency_key: str | None,
        lane: str,
        deadline_s: float | None,
        stripe_account: str | None,
        stripe_context: str | None,
    ) -> FollowUp:
        """Put one create into this run's outbox. Raises `InvalidParams`, `InvalidField` or `TooLarge`."""
        entry = self._entry
        require_valid_params(object_name, params)
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
            object=object_name,
            params=params,
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
            traceparent=entry.traceparent,
        )
        check_size(envelope.as_message())
        self._outbox.append(envelope)
        return FollowUp(
            request_id=envelope.request_id,
            object_name=object_name,
            worker_id=entry.worker_id,
            context_id=entry.context_id,
        )

    def _follow_up_id(self, idempotency_key: str | None) -> str:
        if idempotency_key is not None:
            return request_id_for_key(key_space(self.tenant, self._queue_tenant), idempotency_key)
        end = _kind(self._entry.outcome)
        return follow_up_request_id(self.request_id, len(self._outbox) + 1, end)


def _kind(outcome: Outcome) -> OutcomeKind:
    if isinstance(outcome, Response) or outcome.settled:
        return OutcomeKind.SETTLED
    ours = outcome.kind is ErrorKind.DISPATCHER
    return OutcomeKind.FLOW_FAILED if ours and outcome.code == FLOW_FAILED else OutcomeKind.UNKNOWN


class FlowScripts(Protocol):
    """The scripts by name. Nothing of a script but its end leaves it: no exception, no exit, no cancellation."""

    def is_loaded(self, name: str) -> bool: ...

    async def load(self, name: str) -> None:
        """Import the script, within a bounded time. Raises `MissingFlow`, `RetryLater` or `ScriptFailed`."""
        ...

    async def run(self, name: str, argument: Any, flow: Flow) -> None:
        """Run the script's `run(argument, flow)`, sync or async. Raises as `load` does."""
        ...
