"""What stands on a worker's stream: one outcome, and all a flow needs to go on from it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from dataclasses import fields as fields_of
from typing import TYPE_CHECKING, Any

from paydispatch.domain.outcomes import Certainty, Error, ErrorKind, Outcome, Response
from paydispatch.domain.requests import Lane
from paydispatch.domain.resources import error_flow, response_flow

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paydispatch.domain.envelope import Address, Envelope, Malformed


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeEntry:
    """One terminal event of one request. Carries the key sealed, so that a flow can dispatch the next create."""

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
    lane: Lane = Lane.INTERACTIVE
    traceparent: str | None = None

    @property
    def flow_name(self) -> str:
        """The module in the flows folder that this entry runs."""
        named = response_flow if isinstance(self.outcome, Response) else error_flow
        return named(self.object)

    def failed(self, error: Error) -> OutcomeEntry:
        """The same request, ending in `error` instead: its response script could not be run."""
        return replace(self, outcome=error)

    def as_json(self) -> str:
        fields = asdict(self)
        del fields["outcome"]
        if isinstance(self.outcome, Response):
            fields["response"] = asdict(self.outcome)
        else:
            fields["error"] = self.outcome.as_dict()
        shown = {name: value for name, value in fields.items() if value is not None}
        return json.dumps(shown, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str | bytes) -> OutcomeEntry:
        """Ignores members that it does not know, because a newer release may have written them.

        Raises `ValueError`, `KeyError` or `TypeError` for what is no entry.
        """
        fields = dict(json.loads(text))
        response, error = fields.get("response"), fields.get("error")
        outcome = Response.from_dict(response) if response else Error.from_dict(error or {})
        known = {name: fields[name] for name in _ENTRY_FIELDS & fields.keys()}
        return cls(**{**known, "outcome": outcome, "lane": Lane(fields.get("lane", "interactive"))})


_ENTRY_FIELDS = frozenset(field.name for field in fields_of(OutcomeEntry))


def entry_for(envelope: Envelope, outcome: Outcome, settled_at: float) -> OutcomeEntry:
    return OutcomeEntry(
        request_id=envelope.request_id,
        object=envelope.object,
        worker_id=envelope.worker_id,
        context_id=envelope.context_id,
        params=envelope.params,
        outcome=outcome,
        settled_at=settled_at,
        accepted_at=envelope.accepted_at,
        first_sent_at=envelope.progress.first_sent_at,
        principal=envelope.principal,
        sealed_secret=envelope.sealed_secret,
        secret_ref=envelope.secret_ref,
        stripe_account=envelope.stripe_account,
        lane=envelope.lane,
        traceparent=envelope.traceparent,
    )


def entry_for_malformed(malformed: Malformed, address: Address, settled_at: float) -> OutcomeEntry:
    """An entry for a message that could be attributed but not read: its flow cannot dispatch further creates."""
    error = Error(
        kind=ErrorKind.DISPATCHER,
        code=malformed.code,
        message=malformed.message,
        param=malformed.param,
        attempts=0,
        certainty=Certainty.NOT_CREATED,
    )
    return OutcomeEntry(
        request_id=address.request_id,
        object=address.object,
        worker_id=address.worker_id,
        context_id=address.context_id,
        params=address.params,
        outcome=error,
        settled_at=settled_at,
    )
