"""Take an event that Stripe sent to a webhook: check its signature, and put its names on the look queue.

The reconciler then fetches the object itself. So a forged event could at most cause a read, and nothing of the event's
object is logged or stored.

A direct producer chooses ids of its own form, and every other program of the Stripe account has keys of any form. So an
event under such a key is queued only if a request of that id is open.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from paydispatch.domain.claims import FINAL_STATUSES
from paydispatch.domain.errors import InvalidSignature, MaybeAccepted, Unavailable, UnknownWebhook
from paydispatch.domain.identity.request_ids import is_made_id, is_request_id
from paydispatch.domain.identity.slots import slot_name
from paydispatch.domain.looks.messages import event_message
from paydispatch.domain.looks.provable_events import PROVABLE_TYPES
from paydispatch.domain.text.json_text import read_json
from paydispatch.domain.web.stripe_signatures import (
    SignatureFault,
    is_signed,
    read_signature,
)

if TYPE_CHECKING:
    from paydispatch.domain.looks.messages import EventMessage
    from paydispatch.domain.web.stripe_signatures import SigningSecret
    from paydispatch.ports import Clock, EventLog, LookQueue, RequestStore, WebhookSecrets

_NAME = re.compile(r"[A-Za-z0-9_+=.@-]{1,128}")
"""The characters that the name of a secret may have. A slash would lead to the secret of another tenant."""

_LONGEST_ID = 255

_NOT_SET_UP = "This API takes no events, because its look queue is not set up (LOOK_QUEUE_URL)."


@dataclass(frozen=True, slots=True)
class SentEvent:
    """An event as it arrived."""

    tenant: str
    webhook: str
    body: bytes
    signature: str | None
    """The header `Stripe-Signature`."""


class EventTaker:
    """The service that takes events. Without a look queue it refuses all of them."""

    def __init__(
        self,
        look_queue: LookQueue | None,
        secrets: WebhookSecrets,
        requests: RequestStore,
        clock: Clock,
        log: EventLog,
        *,
        queue_tenant: str,
    ) -> None:
        self._look_queue = look_queue
        self._secrets = secrets
        self._requests = requests
        self._queue_tenant = queue_tenant
        self._clock = clock
        self._log = log

    def take(self, sent: SentEvent) -> bool:
        """Return whether the event can prove a request of paydispatch. Such an event is on the look queue.

        Raises `InvalidSignature`, `UnknownWebhook` or `Unavailable`. Nothing was changed then.
        """
        if self._look_queue is None:
            raise UnknownWebhook(_NOT_SET_UP)
        self._check_signature(sent)
        event = _read_event(sent)
        if event is None or not self._may_be_ours(sent, event.request_id):
            return False
        try:
            self._look_queue.send(event)
        except MaybeAccepted as error:  # a second message about one event changes nothing
            raise Unavailable(str(error)) from error
        self._log.info(
            "event.queued",
            event_id=event.event_id,
            type=event.type,
            request_id=event.request_id,
            tenant=sent.tenant,
            webhook=sent.webhook,
            stripe_account=event.account,
            livemode=event.livemode,
        )
        return True

    def _may_be_ours(self, sent: SentEvent, request_id: str) -> bool:
        """Return whether an open request can have this id. Redis is asked only about an id of another form."""
        if is_made_id(request_id):
            return True
        known = self._requests.get(slot_name(sent.tenant, request_id, self._queue_tenant))
        return known is not None and known.status not in FINAL_STATUSES

    def _check_signature(self, sent: SentEvent) -> None:
        # The header is read first, so that a stranger cannot make the API ask for secrets without the scheme's form.
        signed = read_signature(sent.signature, self._clock.now_s())
        if isinstance(signed, SignatureFault):
            raise self._refuse(sent, signed)
        if not is_signed(sent.body, signed, self._find_secrets(sent)):
            raise self._refuse(sent, SignatureFault.FORGED)

    def _find_secrets(self, sent: SentEvent) -> list[SigningSecret]:
        sound = _NAME.fullmatch(sent.tenant) and _NAME.fullmatch(sent.webhook)
        secrets = self._secrets.find(sent.tenant, sent.webhook) if sound else None
        if not secrets:
            raise UnknownWebhook(
                f"No webhook {sent.webhook[:64]!r} is set up. Its signing secret is stored in Secrets Manager under "
                "paydispatch/{tenant}/webhook/{name}."
            )
        return list(secrets)

    def _refuse(self, sent: SentEvent, fault: SignatureFault) -> InvalidSignature:
        self._log.warning("event.refused", why=fault.value, webhook=sent.webhook[:64])
        self._log.count("EventRefused")
        return InvalidSignature(fault.value)


def _read_event(sent: SentEvent) -> EventMessage | None:
    """Return the names of the event. None: it proves nothing, or its key cannot be the id of a request."""
    try:
        read = read_json(sent.body)
    except ValueError:
        return None
    event = event_message(read, sent.tenant) if isinstance(read, dict) else None
    if event is None or not is_request_id(event.request_id) or event.type not in PROVABLE_TYPES:
        return None
    return event if max(len(event.event_id), len(event.account or "")) <= _LONGEST_ID else None
