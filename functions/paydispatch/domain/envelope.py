"""The queue message: one request, its identity and its progress. It never holds a Stripe key in the clear."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from paydispatch.domain.credentials import Binding
from paydispatch.domain.errors import InvalidField, TooLarge, UnknownObject, UnknownOperation
from paydispatch.domain.identity.principal import QUEUE
from paydispatch.domain.limits import COPY_ROOM_BYTES, QUEUE_MESSAGE_LIMIT_BYTES
from paydispatch.domain.message.groups import group_of_ref, group_of_worker
from paydispatch.domain.parameters.unchecked import merge_unchecked
from paydispatch.domain.requests import Lane
from paydispatch.domain.stripe.operations import (
    all_operations,
    check_path_ids,
    operation_named,
)
from paydispatch.domain.stripe.resources import create_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paydispatch.domain.progress import Progress
    from paydispatch.domain.stripe.operations import Operation

VERSION = 2


_MESSAGE_TEXT = json.JSONEncoder(separators=(",", ":"), allow_nan=False)
"""Made once, because `json.dumps` with these options makes a new encoder for each call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """One request as a queue message. Exactly one of `sealed_secret` and `secret_ref` is set."""

    request_id: str
    object: str
    params: Mapping[str, Any]
    worker_id: str
    context_id: str
    accepted_at: float
    progress: Progress
    operation: str = ""
    """The name of the Stripe operation. Empty: the create of `object`."""
    path: Mapping[str, str] = field(default_factory=dict)
    """The ids in Stripe's path, by name."""
    fingerprint: str | None = None
    """The fingerprint in the message. It is not trusted, but computed again (`claims.fingerprint_of`)."""
    sealed_secret: str | None = None
    secret_ref: str | None = None
    lane: Lane = Lane.INTERACTIVE
    stripe_account: str | None = None
    stripe_context: str | None = None
    unchecked_params: Mapping[str, Any] = field(default_factory=dict)
    principal: str = QUEUE
    traceparent: str | None = None
    known_group: str | None = field(default=None, compare=False, repr=False)
    """The message group, where its sender knew the key before it was sealed. It is no part of the message."""

    def __post_init__(self) -> None:
        if not self.operation:
            object.__setattr__(self, "operation", create_of(self.object))

    @property
    def binding(self) -> Binding:
        return Binding(self.principal, self.worker_id, self.context_id)

    @property
    def group(self) -> str:
        """The message group that the queue orders it by (`groups`)."""
        if self.known_group is not None:
            return self.known_group
        headers = (self.stripe_account, self.stripe_context)
        if self.secret_ref is not None:
            return group_of_ref(self.secret_ref, self.principal, headers)
        return group_of_worker(self.worker_id, self.principal, headers)

    @property
    def sent_params(self) -> Mapping[str, Any]:
        """The parameters that Stripe gets, without the metadata pair of paydispatch."""
        return merge_unchecked(self.params, self.unchecked_params)

    def at(self, progress: Progress) -> Envelope:
        return replace(self, progress=progress)

    def as_message(self) -> str:
        """Return the JSON text of the queue message. It is ASCII, because SQS takes only characters legal in XML."""
        progress = self.progress
        fields: dict[str, Any] = {
            "v": VERSION,
            "request_id": self.request_id,
            "operation": self.operation,
            "object": self.object,
            "params": self.params,
            "worker_id": self.worker_id,
            "context_id": self.context_id,
            "lane": self.lane,
            "accepted_at": self.accepted_at,
            "deadline_at": progress.deadline_at,
            "attempt": progress.attempt,
            "maybe_executed": progress.maybe_executed,
            "principal": self.principal,
        }
        optional = {
            "path": self.path or None,
            "fingerprint": self.fingerprint,
            "sealed_secret": self.sealed_secret,
            "secret_ref": self.secret_ref,
            "stripe_account": self.stripe_account,
            "stripe_context": self.stripe_context,
            "unchecked_params": self.unchecked_params or None,
            "first_sent_at": progress.first_sent_at,
            "store_waits": progress.store_waits or None,
            "fresh_starts": progress.fresh_starts or None,
            "traceparent": self.traceparent,
        }
        fields |= {name: value for name, value in optional.items() if value is not None}
        return _MESSAGE_TEXT.encode(fields)


def check_size(message: str, *, room_bytes: int = COPY_ROOM_BYTES) -> int:
    """Return the message's size in bytes on the queue. Raises `TooLarge` if it leaves no room for its copies."""
    limit_bytes = QUEUE_MESSAGE_LIMIT_BYTES - room_bytes
    if len(message) > limit_bytes:
        raise TooLarge(len(message), limit_bytes)
    return len(message)


def check_operation(envelope: Envelope) -> Operation:
    """Return the operation that the message asks for. Its object and its path fit. Raises `BadRequest`."""
    try:
        operation = operation_named(envelope.operation)
    except UnknownOperation:
        if envelope.operation != create_of(envelope.object):
            raise
        known = sorted(one.object for one in all_operations() if one.creates)
        raise UnknownObject(envelope.object, known=known) from None
    if envelope.object != operation.object:
        raise InvalidField(
            "object",
            f"object must be {operation.object} for the operation {operation.name}, not {envelope.object}.",
        )
    check_path_ids(operation, envelope.path)
    return operation


def check_copy_size(received: Envelope) -> None:
    """Check that copies of a received message fit into the queue. Raises `TooLarge` if they do not.

    For a direct producer SQS alone limits the size. The copy that defers or parks its request is longer than the
    message, because it holds the fields that were left out and is escaped to ASCII. A message that passed `check_size`
    always passes here, because its progress takes less than half of the room.
    """
    check_size(received.as_message(), room_bytes=COPY_ROOM_BYTES // 2)
