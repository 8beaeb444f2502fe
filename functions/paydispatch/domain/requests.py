"""Read a caller's request, and check it field by field before any other code uses it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal

from paydispatch.domain.credentials import (
    Binding,
    Credential,
    SecretRef,
    StripeKey,
    check_acts_in_account,
    check_holds_no_key,
    redact,
)
from paydispatch.domain.errors import InvalidField, InvalidParams
from paydispatch.domain.limits import LONGEST_DEADLINE_S
from paydispatch.domain.parameters.json_values import fault_of_depth
from paydispatch.domain.stripe.operation_fields import (
    check_path,
    check_same_operation,
    operation_of,
)
from paydispatch.domain.trace_context import read_traceparent

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paydispatch.domain.stripe.operations import Operation

# A worker id stands in braces in each Redis key of its worker. Therefore it holds visible ASCII without braces.
_WORKER_ID = re.compile(r"[!-z|~]{1,128}")
_CONTEXT_ID = re.compile(r"[^\x00-\x1f\x7f\ud800-\udfff]{1,255}")
_IDEMPOTENCY_KEY = re.compile(r"[^\ud800-\udfff]{1,255}")
_ACCOUNT = re.compile(r"[A-Za-z0-9_/-]{1,128}")
_STRIPE_CONTEXT = re.compile(r"(?!.{256})[A-Za-z0-9_-]+(?:/[A-Za-z0-9_-]+)*")

BODY_FIELDS = frozenset(
    {
        "object",
        "operation",
        "path",
        "params",
        "unchecked_params",
        "worker_id",
        "context_id",
        "stripe_secret",
        "secret_ref",
        "lane",
        "deadline_s",
        "stripe_account",
        "stripe_context",
        "idempotency_key",
        "traceparent",
    }
)
"""The fields of a request's JSON body. Stripe's own parameters stand in `params`."""


LaneName = Literal["interactive", "batch"]
"""The names of the lanes, for the type checkers of programs that dispatch."""


class Lane(StrEnum):
    """One of two queues. Batch work has a queue of its own with less concurrency, so that it never delays the other."""

    INTERACTIVE = "interactive"
    BATCH = "batch"


_LANES = {lane.value: lane for lane in Lane}
"""A look here takes a fifth of the time of `Lane(value)`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationRequest:
    """One operation that a caller asks for. Every field is checked, but `params` not against Stripe's schema."""

    operation: Operation
    path: Mapping[str, str] = field(default_factory=dict)
    """The ids in Stripe's path, by name: `{"intent": "pi_1"}`."""
    params: Mapping[str, Any]
    worker_id: str
    context_id: str
    credential: Credential
    lane: Lane = Lane.INTERACTIVE
    deadline_s: float | None = None
    stripe_account: str | None = None
    stripe_context: str | None = None
    """The account in which an organisation's key acts. With it Stripe ignores `stripe_account`."""
    idempotency_key: str | None = None
    unchecked_params: Mapping[str, Any] = field(default_factory=dict)
    """Merged into `params` without a check against the schema (`domain/parameters/unchecked.py`)."""
    traceparent: str | None = None
    """The W3C trace context of the caller, checked (`trace_context`)."""

    def __post_init__(self) -> None:
        """Check every field. Raises `InvalidField` for the first wrong one."""
        check_path(self.operation, self.path)
        check_worker_id(self.worker_id)
        check_context_id(self.context_id)
        check_params_shape("params", self.params)
        check_params_shape("unchecked_params", self.unchecked_params)
        check_deadline(self.deadline_s)
        check_account(self.stripe_account)
        check_stripe_context(self.stripe_context)
        check_acts_in_account(self.credential, self.stripe_context)
        check_idempotency_key(self.idempotency_key)

    def binding(self, principal: str) -> Binding:
        """Return the conversation that the key is sealed for, so that the seal opens in no other."""
        return Binding(principal, self.worker_id, self.context_id)


def parse_item(
    item: Mapping[str, Any], *, idempotency_key: str | None = None, traceparent: str | None = None
) -> OperationRequest:
    """Read a JSON object that names its operation itself. Raises `BadRequest` for the first wrong field."""
    return parse_request(
        operation_of(item),
        _given(item, "path", {}),
        item,
        idempotency_key=idempotency_key,
        traceparent=traceparent,
    )


def parse_request(
    operation: Operation,
    path: Mapping[str, str],
    body: Mapping[str, Any],
    *,
    idempotency_key: str | None = None,
    traceparent: str | None = None,
) -> OperationRequest:
    """Read the JSON body of a request for `operation`, with the ids in `path`.

    The body may repeat both. Its `traceparent` goes before the argument.

    Raises `InvalidField` for the first wrong field.
    """
    for name in body.keys() - BODY_FIELDS:
        shown = redact(str(name))[:64]
        raise InvalidField(
            shown,
            f"Received unknown field {shown!r}. Stripe's own parameters go into `params`.",
            code="parameter_unknown",
        )
    check_same_operation(body, operation, path)
    return OperationRequest(
        operation=operation,
        path=path,
        params=_readable(body.get("params", {})),
        unchecked_params=_readable(_given(body, "unchecked_params", {})),
        worker_id=_require(body, "worker_id"),
        context_id=_require(body, "context_id"),
        credential=_credential(body),
        lane=parse_lane(body.get("lane", Lane.INTERACTIVE)),
        deadline_s=body.get("deadline_s"),
        stripe_account=body.get("stripe_account"),
        stripe_context=body.get("stripe_context"),
        idempotency_key=idempotency_key
        if idempotency_key is not None
        else body.get("idempotency_key"),
        traceparent=_trace_context(body) or read_traceparent(traceparent),
    )


def _trace_context(body: Mapping[str, Any]) -> str | None:
    """Return the trace context that the body names. An invalid one is ignored, but a key in its place is refused."""
    given = body.get("traceparent")
    if isinstance(given, str):
        check_holds_no_key("traceparent", given)
    return read_traceparent(given)


def parse_lane(value: object) -> Lane:
    lane = _LANES.get(value) if isinstance(value, str) else None
    if lane is not None:
        return lane
    raise InvalidField("lane", "lane must be 'interactive' or 'batch'.")


def check_worker_id(value: object) -> None:
    if not isinstance(value, str) or not _WORKER_ID.fullmatch(value):
        raise InvalidField(
            "worker_id",
            "worker_id must be text of 1 to 128 visible ASCII characters other than { and }.",
        )
    check_holds_no_key("worker_id", value)


def check_context_id(value: object) -> None:
    if not isinstance(value, str) or not _CONTEXT_ID.fullmatch(value):
        raise InvalidField(
            "context_id",
            "context_id must be text of 1 to 255 characters, without control characters.",
        )
    check_holds_no_key("context_id", value)


def check_idempotency_key(value: object) -> None:
    if value is None:
        return
    if not isinstance(value, str) or not _IDEMPOTENCY_KEY.fullmatch(value):
        raise InvalidField(
            "Idempotency-Key",
            "Idempotency-Key must be text of 1 to 255 characters.",
            code="idempotency_key_invalid",
        )
    check_holds_no_key("Idempotency-Key", value)


def _readable(params: Any) -> Any:
    """Return the parameters. Raises `InvalidParams` if they are nested too deeply to be walked through."""
    fault = fault_of_depth(params) if isinstance(params, dict) else None
    if fault is not None:
        raise InvalidParams((fault,))
    return params


def _given(body: Mapping[str, Any], name: str, default: Any) -> Any:
    value = body.get(name)
    return default if value is None else value


def _require(body: Mapping[str, Any], name: str) -> Any:
    if body.get(name) is None:
        raise InvalidField(name, f"Missing required field: {name}.", code="parameter_missing")
    return body[name]


def _credential(body: Mapping[str, Any]) -> Credential:
    key, ref = body.get("stripe_secret"), body.get("secret_ref")
    if key is not None and ref is not None:
        raise InvalidField("secret_ref", "Send stripe_secret or secret_ref, not both.")
    if ref is not None:
        return SecretRef(ref)
    if key is None:
        raise InvalidField(
            "stripe_secret",
            "Missing required field: stripe_secret (or secret_ref).",
            code="parameter_missing",
        )
    return StripeKey(key)


def check_params_shape(name: str, value: object) -> None:
    if not isinstance(value, dict):
        raise InvalidField(name, f"{name} must be a JSON object with Stripe's parameters.")


def check_deadline(value: object) -> None:
    if value is None:
        return
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0 < value <= LONGEST_DEADLINE_S:  # type: ignore[operator]
        raise InvalidField(
            "deadline_s",
            f"deadline_s must be a number of seconds above 0 and at most {LONGEST_DEADLINE_S:.0f}.",
        )


def check_account(value: object) -> None:
    if value is None:
        return
    if not isinstance(value, str) or not _ACCOUNT.fullmatch(value):
        raise InvalidField(
            "stripe_account", "stripe_account must be the id of a Stripe account: acct_…."
        )
    check_holds_no_key("stripe_account", value)


def check_stripe_context(value: object) -> None:
    """Check a path of account ids, which begins with the outermost account."""
    if value is None:
        return
    if not isinstance(value, str) or not _STRIPE_CONTEXT.fullmatch(value):
        raise InvalidField(
            "stripe_context",
            "stripe_context must be the id of an account, or such ids joined by /: acct_…/acct_….",
        )
    check_holds_no_key("stripe_context", value)
