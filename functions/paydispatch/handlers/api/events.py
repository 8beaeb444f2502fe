"""Translate a request of Stripe to a webhook into the event that it carries."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING

from paydispatch.domain.errors import InvalidField, TooLarge
from paydispatch.services.take_event import SentEvent

if TYPE_CHECKING:
    from paydispatch.handlers.api.http import HttpRequest
EVENT_LIMIT_BYTES = 4_000_000
"""An event holds one object, and few objects have more than some 100 KB. Lambda's limit is 6 MB."""


def sent_event(request: HttpRequest, queue_tenant: str) -> SentEvent:
    """Return the event with its body as Stripe signed it. Raises `BadRequest`."""
    *tenant, webhook = request.path.removeprefix("/v1/stripe/events/").split("/")
    return SentEvent(
        tenant=tenant[0] if tenant else queue_tenant,
        webhook=webhook,
        body=_raw_body(request),
        signature=request.headers.get("stripe-signature"),
    )


def _raw_body(request: HttpRequest) -> bytes:
    text = request.body
    try:
        body = (
            base64.b64decode(text)
            if request.is_base64_encoded
            else text.encode("utf-8", "surrogatepass")
        )
    except (binascii.Error, ValueError):
        raise InvalidField(None, "The body is not valid base64.", code="body_not_base64") from None
    if len(body) > EVENT_LIMIT_BYTES:
        raise TooLarge(len(body), EVENT_LIMIT_BYTES)
    return body
