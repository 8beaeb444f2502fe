"""The entries of a worker's stream: each holds one outcome, and everything that its flow needs."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from dataclasses import fields as fields_of
from typing import TYPE_CHECKING, Any

from paydispatch.domain.outcomes import Certainty, Error, ErrorKind, Outcome, Response
from paydispatch.domain.requests import Lane
from paydispatch.domain.stripe.accounts import AccountBinding
from paydispatch.domain.stripe.proofs import unexecuted_word
from paydispatch.domain.stripe.resources import create_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paydispatch.domain.claims import Claim
    from paydispatch.domain.envelope import Envelope
    from paydispatch.domain.message.read_message import Address, Malformed


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeEntry:
    """One outcome of one request. It carries the sealed key, so that a flow can dispatch the next create."""

    request_id: str
    object: str
    worker_id: str
    context_id: str
    params: Mapping[str, Any]
    outcome: Outcome
    settled_at: float
    """Unix seconds."""
    accepted_at: float | None = None
    first_sent_at: float | None = None
    principal: str | None = None
    sealed_secret: str | None = None
    secret_ref: str | None = None
    stripe_account: str | None = None
    stripe_context: str | None = None
    lane: Lane = Lane.INTERACTIVE
    traceparent: str | None = None
    operation: str = ""
    """Empty: the create of `object`."""
    path: Mapping[str, str] = field(default_factory=dict)
    tenant: str | None = None
    """The tenant of the worker. None: the queue's tenant."""
    fingerprint: str | None = None
    last_sent_at: float | None = None
    """Unix seconds. A later look at Stripe proves an absence with it, `first_sent_at` and `account`. The entry carries
    them because the request's slot may have expired by then."""
    account: AccountBinding | None = None
    inferred: bool = False
    """The outcome follows from the state at Stripe, because Stripe's answer was lost. Another program may have led the
    object there."""

    def __post_init__(self) -> None:
        if not self.operation:
            object.__setattr__(self, "operation", create_of(self.object))

    @property
    def flow_name(self) -> str:
        """The name of the module in the flows folder that runs for this entry."""
        return (
            f"new_{self.operation}_{'response' if isinstance(self.outcome, Response) else 'error'}"
        )

    @property
    def any_flow_name(self) -> str:
        """The name of the module that runs instead, if the folder has none of the name `flow_name`."""
        return "any_response" if isinstance(self.outcome, Response) else "any_error"

    def with_error(self, error: Error) -> OutcomeEntry:
        """Return the entry of the same request with `error` as its outcome, because its response script failed."""
        return replace(self, outcome=error)

    def settled_by_look(self, outcome: Outcome, settled_at: float) -> OutcomeEntry:
        """Return the entry of the same request with the outcome that a look at Stripe proved."""
        worded = _in_word_of(self.operation, outcome)
        return replace(self, outcome=worded, settled_at=settled_at, inferred=True)

    def as_json(self) -> str:
        # Not by `asdict`, which copies the whole body, and took 15 times as long.
        fields: dict[str, Any] = {name: getattr(self, name) for name in _TOLD_FIELDS}
        fields["account"] = None if self.account is None else self.account.as_dict()
        if isinstance(self.outcome, Response):
            fields["response"] = self.outcome.as_dict()
        else:
            fields["error"] = self.outcome.as_dict()
        fields["path"], fields["inferred"] = self.path or None, self.inferred or None
        shown = {name: value for name, value in fields.items() if value is not None}
        return json.dumps(shown, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str | bytes) -> OutcomeEntry:
        """Read an entry. Unknown members are ignored, because a newer release may have written them.

        Raises `ValueError`, `KeyError` or `TypeError` if the text is not an entry.
        """
        return cls.from_fields(json.loads(text))

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any], *, keyless: bool = False) -> OutcomeEntry:
        """Read an entry from its JSON object. Raises as `from_json`.

        `keyless`: the caller has looked for keys in the text, and there is none (`redaction.may_hold_key_in_json`).
        """
        fields = dict(fields)
        read = {name: value for name, value in fields.items() if name in _ENTRY_FIELDS}
        response, account = fields.get("response"), fields.get("account")
        if response:
            read["outcome"] = Response.from_dict(response, keyless=keyless)
        else:
            read["outcome"] = Error.from_dict(fields.get("error") or {})
        read["lane"] = Lane(fields.get("lane", "interactive"))
        read["account"] = AccountBinding.from_dict(account) if account else None
        return cls(**read)


_ENTRY_FIELDS = frozenset(field.name for field in fields_of(OutcomeEntry))
_TOLD_FIELDS = tuple(field.name for field in fields_of(OutcomeEntry) if field.name != "outcome")


def _in_word_of(operation: str, outcome: Outcome) -> Outcome:
    """Return the outcome with the operation's word for "no effect": `not_created`, or `not_executed`."""
    return outcome.in_word(unexecuted_word(operation)) if isinstance(outcome, Error) else outcome


def entry_for(
    envelope: Envelope,
    claim: Claim,
    outcome: Outcome,
    settled_at: float,
    *,
    inferred: bool = False,
) -> OutcomeEntry:
    """Return the entry of a request, under the id of its claim.

    The envelope's id may be another one, because a second request under a used id has an id of its own.
    """
    return OutcomeEntry(
        request_id=claim.request_id,
        tenant=claim.tenant,
        fingerprint=claim.fingerprint,
        operation=envelope.operation,
        path=envelope.path,
        stripe_context=envelope.stripe_context,
        object=envelope.object,
        worker_id=envelope.worker_id,
        context_id=envelope.context_id,
        params=envelope.sent_params,
        outcome=_in_word_of(envelope.operation, outcome),
        inferred=inferred,
        settled_at=settled_at,
        accepted_at=envelope.accepted_at,
        first_sent_at=envelope.progress.first_sent_at,
        last_sent_at=envelope.progress.last_sent_at,
        account=envelope.progress.account,
        principal=envelope.principal,
        sealed_secret=envelope.sealed_secret,
        secret_ref=envelope.secret_ref,
        stripe_account=envelope.stripe_account,
        lane=envelope.lane,
        traceparent=envelope.traceparent,
    )


def entry_for_malformed(
    error: Error, address: Address, claim: Claim, settled_at: float
) -> OutcomeEntry:
    """Return the entry of a message that could not be read but names its worker.

    The entry has no key, so that its flow cannot dispatch further creates.
    """
    return OutcomeEntry(
        request_id=claim.request_id,
        tenant=claim.tenant,
        fingerprint=claim.fingerprint,
        principal=claim.principal,
        object=address.object,
        operation=address.operation,
        path=address.path,
        worker_id=address.worker_id,
        context_id=address.context_id,
        params=address.params,
        outcome=_in_word_of(address.operation, error),
        settled_at=settled_at,
        traceparent=address.traceparent,
    )


def error_for_malformed(malformed: Malformed) -> Error:
    """Return the outcome of a message that could not be read."""
    return Error(
        kind=ErrorKind.DISPATCHER,
        code=malformed.code,
        message=malformed.message,
        param=malformed.param,
        attempts=0,
        certainty=Certainty.NOT_CREATED,
    )
