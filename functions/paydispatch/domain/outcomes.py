"""The outcome of a request: Stripe's response, or an error and its certainty."""

from __future__ import annotations

from dataclasses import InitVar, asdict, dataclass, replace
from dataclasses import fields as fields_of
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from paydispatch.domain.identity.request_ids import OutcomeKind
from paydispatch.domain.text.redaction import redact_json

if TYPE_CHECKING:
    from collections.abc import Mapping


FLOW_FAILED = "flow_failed"
"""The code of the `dispatcher` error that the error script gets when the response script has failed for good."""


class ErrorKind(StrEnum):
    HTTP = "http"
    """A network fault, a timeout, or no attempts left."""
    API = "api"
    """Stripe refused the request."""
    DISPATCHER = "dispatcher"
    """Paydispatch refused the queue message, a script failed, or paydispatch had an internal fault."""


class Certainty(StrEnum):
    NOT_CREATED = "not_created"
    """The request had no effect. This is the word for creates, and for a request whose operation was not read yet."""
    NOT_EXECUTED = "not_executed"
    """The request had no effect. This is the word for all other operations (`proofs.unexecuted_word`)."""
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """Stripe executed the operation, and the body is its answer."""

    body: Mapping[str, Any]
    attempts: int
    stripe_request_id: str | None = None
    keyless: InitVar[bool] = False
    """The caller has looked for keys in the body, and there is none."""

    def __post_init__(self, keyless: bool) -> None:
        """Redact the answer, because Stripe quotes requests and stores texts of others. Either may hold a key."""
        if keyless:
            return
        for name in ("body", "stripe_request_id"):
            object.__setattr__(self, name, redact_json(getattr(self, name)))

    @property
    def settled(self) -> bool:
        return True

    @property
    def answered(self) -> bool:
        """Whether Stripe keeps this answer under the idempotency key."""
        return True

    def as_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in _RESPONSE_FIELDS}

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any], *, keyless: bool = False) -> Response:
        """Read a response. Members that this release does not know are ignored."""
        return cls(
            keyless=keyless,
            body=fields["body"],
            attempts=fields["attempts"],
            stripe_request_id=fields.get("stripe_request_id"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Error:
    """An error: Stripe did not execute the operation, or may have executed it. `certainty` says which."""

    kind: ErrorKind
    message: str
    attempts: int
    certainty: Certainty
    code: str | None = None
    type: str | None = None
    decline_code: str | None = None
    param: str | None = None
    http_status: int | None = None
    stripe_request_id: str | None = None
    answered: bool = False
    """Stripe keeps this answer under the idempotency key: a declined card, or an error after the execution began."""

    def __post_init__(self) -> None:
        """Redact the texts, because they come from Stripe, from libraries and from flows, and may hold a key."""
        for name in ("message", "code", "type", "decline_code", "param", "stripe_request_id"):
            object.__setattr__(self, name, redact_json(getattr(self, name)))

    @property
    def settled(self) -> bool:
        """Whether the outcome is the last one. A settled outcome may still follow an unknown one."""
        return self.certainty is not Certainty.UNKNOWN

    def in_word(self, unexecuted: Certainty) -> Error:
        """Return the same error. If it is certain, its certainty is `unexecuted`."""
        return replace(self, certainty=unexecuted) if self.settled else self

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Error:
        """Read an error. Members that this release does not know are ignored.

        Raises `KeyError` or `ValueError` if `fields` are not those of an error.
        """
        kind, certainty = ErrorKind(fields["kind"]), Certainty(fields["certainty"])
        known = {name: fields[name] for name in _ERROR_FIELDS & fields.keys()}
        return cls(**{**known, "kind": kind, "certainty": certainty})


_RESPONSE_FIELDS = tuple(field.name for field in fields_of(Response))
_ERROR_FIELDS = frozenset(field.name for field in fields_of(Error))

Outcome = Response | Error


def outcome_kind(outcome: Outcome) -> OutcomeKind:
    """Return the kind of an outcome: each kind has a flow of its own."""
    if isinstance(outcome, Response) or outcome.settled:
        return OutcomeKind.SETTLED
    ours = outcome.kind is ErrorKind.DISPATCHER
    return OutcomeKind.FLOW_FAILED if ours and outcome.code == FLOW_FAILED else OutcomeKind.UNKNOWN


def error_of_stripe(
    error: Mapping[str, Any],
    *,
    http_status: int,
    stripe_request_id: str | None,
    attempts: int,
    certainty: Certainty,
    answered: bool = False,
) -> Error:
    """Return the outcome for Stripe's own `error` object."""
    message = error.get("message") or f"Stripe refused the request with status {http_status}."
    return Error(
        kind=ErrorKind.API,
        message=str(message),
        code=error.get("code"),
        type=error.get("type"),
        decline_code=error.get("decline_code"),
        param=error.get("param"),
        http_status=http_status,
        stripe_request_id=stripe_request_id,
        attempts=attempts,
        certainty=certainty,
        answered=answered,
    )


def error_for_reused_id() -> Error:
    """Return the outcome of a second request that came under a used id."""
    return Error(
        kind=ErrorKind.DISPATCHER,
        code="idempotency_key_reused",
        message="Its idempotency key, or request id, was first used for another request. Nothing was executed for this "
        "one. Send it again under a new key.",
        attempts=0,
        certainty=Certainty.NOT_CREATED,
    )
