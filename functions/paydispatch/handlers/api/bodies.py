"""Parse HTTP bodies into requests. An error names its field, and is raised before a service is called."""

from __future__ import annotations

import base64
from json import JSONDecodeError
from typing import TYPE_CHECKING, Any

from paydispatch.domain.errors import BadRequest, InvalidField, TooLarge
from paydispatch.domain.identity.request_ids import key_of_place
from paydispatch.domain.limits import BATCH_ITEMS_LIMIT, QUEUE_MESSAGE_LIMIT_BYTES
from paydispatch.domain.requests import (
    OperationRequest,
    check_idempotency_key,
    parse_item,
    parse_request,
)
from paydispatch.domain.text.json_text import read_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paydispatch.domain.stripe.operations import Operation
    from paydispatch.handlers.api.http import HttpRequest


def request_of_call(
    operation: Operation, ids: Mapping[str, str], request: HttpRequest
) -> OperationRequest:
    """Read the request for one operation, whose URL has `ids`. Raises `BadRequest`."""
    size = len(request.body)
    if request.is_base64_encoded:
        size = size * 3 // 4
    if size > QUEUE_MESSAGE_LIMIT_BYTES:
        raise TooLarge(size, QUEUE_MESSAGE_LIMIT_BYTES)
    return parse_request(
        operation,
        ids,
        json_object(request),
        idempotency_key=request.headers.get("idempotency-key"),
        traceparent=request.headers.get("traceparent"),
    )


def requests_of_batch(
    body: dict[str, Any], request: HttpRequest
) -> list[OperationRequest | BadRequest]:
    """Read `POST /v1/batches`. Return each item as a request, or as its error. Raises `InvalidField`."""
    items = body.get("requests")
    if not isinstance(items, list):
        raise InvalidField(
            "requests",
            "requests must be a list of requests, each with its `object` or its `operation`.",
        )
    if not 1 <= len(items) <= BATCH_ITEMS_LIMIT:
        raise InvalidField(
            "requests",
            f"requests must hold 1 to {BATCH_ITEMS_LIMIT} items, and holds {len(items)}.",
        )
    key = request.headers.get("idempotency-key")
    check_idempotency_key(key)
    traceparent = request.headers.get("traceparent")
    return [
        _item(item, key=None if key is None else key_of_place(key, place), traceparent=traceparent)
        for place, item in enumerate(items)
    ]


def _item(item: Any, *, key: str | None, traceparent: str | None) -> OperationRequest | BadRequest:
    """Read one item. `key` is made of the batch's key and the item's place, and is used if the item has no key."""
    try:
        if not isinstance(item, dict):
            return InvalidField("requests", "Each request must be a JSON object.")
        own_key = item.get("idempotency_key")
        return parse_item(
            item,
            idempotency_key=own_key if own_key is not None else key,
            traceparent=traceparent,
        )
    except BadRequest as error:
        return error


def json_object(request: HttpRequest) -> dict[str, Any]:
    """Return the body as a JSON object. Raises `InvalidField`, without text of the body because it may hold a key."""
    try:
        text = request.body
        raw = base64.b64decode(text) if request.is_base64_encoded else text
        value = read_json(raw)
    except ValueError as error:
        where = (
            f" (line {error.lineno}, column {error.colno})"
            if isinstance(error, JSONDecodeError)
            else ""
        )
        raise InvalidField(
            None, f"The body is not valid JSON{where}.", code="body_not_json"
        ) from None
    if not isinstance(value, dict):
        raise InvalidField(None, "The body must be a JSON object.", code="body_not_an_object")
    return value
