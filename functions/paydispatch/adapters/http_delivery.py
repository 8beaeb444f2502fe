"""`Delivery` through the HTTP API: batches of up to 1,000, with an idempotency key for each request."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx

from paydispatch.adapters.http_results import results_of
from paydispatch.domain.credentials import SecretRef
from paydispatch.domain.envelope import check_size
from paydispatch.domain.errors import MaybeAccepted, PaydispatchError, Unavailable
from paydispatch.domain.identity.request_ids import key_for, new_request_id
from paydispatch.domain.parameters.check import require_valid_params
from paydispatch.domain.stripe.resources import create_of
from paydispatch.domain.stripe.stripe_version import STRIPE_API_VERSION
from paydispatch.domain.warm_operations import warm_operations
from paydispatch.domain.web.protected_urls import check_http_url
from paydispatch.sdk.delivery import PreparedRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Generator, Iterator, Sequence

    from paydispatch.domain.requests import OperationRequest

CONNECT_WITHIN_S = 5.0
ANSWER_WITHIN_S = 35.0
"""Longer than the API's own limit of 30 s, because without its answer nothing is certain."""

BODY_LIMIT_BYTES = 4_000_000
"""Below Lambda's limit of 6 MB, because the event holds the body as escaped text. A larger batch is cut."""

_NEVER_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
)


class _BearerToken(httpx.Auth):
    """Adds a token to each request. No member of it holds the token, so that no report of its members shows it."""

    def __init__(self, token: str) -> None:
        self._header: Callable[[], str] = lambda: f"Bearer {token}"

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers["Authorization"] = self._header()
        yield request

    def __repr__(self) -> str:
        return "_BearerToken(hidden)"

    def __reduce__(self) -> str:
        raise TypeError("A token is not pickled.")


class HttpDelivery:
    way = "http"
    batch_limit = 1_000

    def __init__(
        self,
        base_url: str,
        *,
        auth: httpx.Auth | str | None = None,
        stripe_api_version: str = STRIPE_API_VERSION,
    ) -> None:
        """Raises `BadSetting` if keys would go to `base_url` unencrypted."""
        check_http_url("base_url", base_url)
        self._make_client = partial(
            httpx.Client,
            base_url=base_url,
            auth=_BearerToken(auth) if isinstance(auth, str) else auth,
            timeout=httpx.Timeout(ANSWER_WITHIN_S, connect=CONNECT_WITHIN_S),
        )
        self._client: httpx.Client | None = None
        self._stripe_api_version = stripe_api_version

    def open(self) -> None:
        """Make a client. Its first batch connects."""
        self._client = self._make_client()

    def warm(self, operations: Collection[str]) -> None:
        warm_operations(operations, self._stripe_api_version)

    def prepare(self, request: OperationRequest) -> PreparedRequest:
        import time

        warnings = require_valid_params(
            request.operation.name,
            request.params,
            request.unchecked_params,
            self._stripe_api_version,
        )
        request_id, key = _identity(request, time.time())
        text = json.dumps(_item(request, key), allow_nan=False)
        check_size(text)
        return PreparedRequest(request_id, text, request.lane, self.way, warnings)

    def deliver(
        self, prepared_requests: Sequence[PreparedRequest]
    ) -> Sequence[str | PaydispatchError]:
        """Send in calls of up to `BODY_LIMIT_BYTES`. After a call without an answer, leave the rest for the next turn.

        So one turn lasts no longer than one timeout.
        """
        results: list[str | PaydispatchError] = []
        for group in _groups(prepared_requests):
            answered = self._post(group)
            results += answered
            if any(isinstance(result, Unavailable) for result in answered):
                break
        left = len(prepared_requests) - len(results)
        return [
            *results,
            *[Unavailable("The API did not answer an earlier call of this batch.")] * left,
        ]

    def _post(self, prepared_requests: Sequence[PreparedRequest]) -> list[str | PaydispatchError]:
        if self._client is None:
            return [Unavailable("The client of the API is closed.")] * len(prepared_requests)
        body = '{"requests":[' + ",".join(prepared.text for prepared in prepared_requests) + "]}"
        try:
            answer = self._client.post(
                "/v1/batches", content=body, headers={"Content-Type": "application/json"}
            )
        except httpx.RequestError as error:
            return [_no_answer(error)] * len(prepared_requests)
        return results_of(answer, len(prepared_requests))

    def upkeep(self) -> None:
        """Do nothing, because there is no data key to replace."""

    def close(self) -> None:
        if self._client is not None:
            self._client.close()

    def forget_clients(self) -> None:
        self._client = None


def _identity(request: OperationRequest, now_s: float) -> tuple[str, str]:
    """Return the request id and the idempotency key.

    The API makes the id out of the caller's key and its tenant, which this program may not know. So until the answer
    the key stands in its place. A key that is made here holds the id, which the API reads (`request_id_for_key`).
    """
    if request.idempotency_key is not None:
        return request.idempotency_key, request.idempotency_key
    request_id = new_request_id(now_s)
    return request_id, key_for(request_id)


def _groups(prepared_requests: Sequence[PreparedRequest]) -> Iterator[list[PreparedRequest]]:
    """Yield the requests in groups that are small enough for one call."""
    group: list[PreparedRequest] = []
    size = 0
    for prepared in prepared_requests:
        if group and size + len(prepared.text) > BODY_LIMIT_BYTES:
            yield group
            group, size = [], 0
        group.append(prepared)
        size += len(prepared.text)
    if group:
        yield group


def _no_answer(error: httpx.RequestError) -> Unavailable:
    """Return the error with the name of httpx's error only, because its text may quote a header with a token."""
    name = type(error).__name__
    if isinstance(error, _NEVER_SENT):
        return Unavailable(f"The API cannot be reached ({name}).")
    return MaybeAccepted(f"The answer of the API was lost ({name}). The API may have the request.")


def _named_operation(request: OperationRequest) -> dict[str, str]:
    """Return the field that names the operation. A create is named by its object, which every API understands."""
    operation = request.operation
    if operation.name == create_of(operation.object):
        return {"object": operation.object}
    return {"operation": operation.name}


def _item(request: OperationRequest, key: str) -> dict[str, Any]:
    credential = request.credential
    named = (
        {"secret_ref": credential.name}
        if isinstance(credential, SecretRef)
        else {"stripe_secret": credential.reveal()}
    )
    fields = {
        **_named_operation(request),
        "path": request.path or None,
        "worker_id": request.worker_id,
        "context_id": request.context_id,
        "params": request.params,
        "unchecked_params": request.unchecked_params or None,
        "lane": request.lane.value,
        "deadline_s": request.deadline_s,
        "stripe_account": request.stripe_account,
        "stripe_context": request.stripe_context,
        "idempotency_key": key,
        "traceparent": request.traceparent,
        **named,
    }
    return {name: value for name, value in fields.items() if value is not None}
