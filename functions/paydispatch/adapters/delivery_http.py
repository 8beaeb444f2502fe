"""`Delivery` through the HTTP API: batches of up to 1,000, each request under an idempotency key of its own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx

from paydispatch.delivery import Parcel
from paydispatch.domain.credentials import SecretRef
from paydispatch.domain.envelope import check_size
from paydispatch.domain.errors import BadRequest, InvalidParams, PaydispatchError, Unavailable
from paydispatch.domain.identity import new_request_id
from paydispatch.domain.resources import resource_named
from paydispatch.domain.schema import check_params

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paydispatch.domain.requests import CreateRequest

BODY_LIMIT_BYTES = 4_000_000
"""Lambda takes 6 MB, in which the body stands escaped, as text in the event. A batch over it is cut in two."""


class HttpDelivery:
    batch_limit = 1_000

    def __init__(self, base_url: str, *, auth: httpx.Auth | str | None = None) -> None:
        token = {"Authorization": f"Bearer {auth}"} if isinstance(auth, str) else {}
        self._client = httpx.Client(
            base_url=base_url,
            headers=token,
            auth=None if isinstance(auth, str) else auth,
            timeout=httpx.Timeout(35.0, connect=5.0),
        )

    def open(self) -> None:
        """The first batch connects."""

    def prepare(self, request: CreateRequest) -> Parcel:
        import time

        errors = check_params(resource_named(request.object).name, request.params)
        if errors:
            raise InvalidParams(errors)
        key = request.idempotency_key or new_request_id(time.time())
        text = json.dumps(_item(request, key), allow_nan=False)
        check_size(text)
        return Parcel(key, text, request.lane)

    def deliver(self, parcels: Sequence[Parcel]) -> Sequence[str | PaydispatchError]:
        if len(parcels) > 1 and sum(len(parcel.text) for parcel in parcels) > BODY_LIMIT_BYTES:
            half = len(parcels) // 2
            return [*self.deliver(parcels[:half]), *self.deliver(parcels[half:])]
        body = '{"requests":[' + ",".join(parcel.text for parcel in parcels) + "]}"
        try:
            answer = self._client.post(
                "/v1/batches", content=body, headers={"Content-Type": "application/json"}
            )
        except httpx.RequestError as error:
            return [Unavailable(f"The API cannot be reached: {error}")] * len(parcels)
        return _results(answer, len(parcels))

    def upkeep(self) -> None:
        """Nothing to keep up."""

    def close(self) -> None:
        self._client.close()


def _item(request: CreateRequest, key: str) -> dict[str, Any]:
    credential = request.credential
    named = (
        {"secret_ref": credential.name}
        if isinstance(credential, SecretRef)
        else {"stripe_secret": credential.reveal()}
    )
    fields = {
        "object": request.object,
        "worker_id": request.worker_id,
        "context_id": request.context_id,
        "params": request.params,
        "lane": request.lane.value,
        "deadline_s": request.deadline_s,
        "stripe_account": request.stripe_account,
        "stripe_context": request.stripe_context,
        "idempotency_key": key,
        **named,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _results(answer: httpx.Response, count: int) -> list[str | PaydispatchError]:
    status = answer.status_code
    if 400 <= status < 500 and status != 429:
        return [_refusal(status, _error_in(answer))] * count
    results = _results_of_batch(answer) if status == 202 else []
    if len(results) != count:  # whoever that was: asked again, the API knows each by its key
        return [Unavailable(f"The API answered {status}, without {count} results.")] * count
    return results


def _results_of_batch(answer: httpx.Response) -> list[str | PaydispatchError]:
    try:
        return [_result(item) for item in answer.json()["results"]]
    except (ValueError, LookupError, TypeError, AttributeError):
        return []


def _result(item: dict[str, Any]) -> str | PaydispatchError:
    if "request_id" in item:
        return str(item["request_id"])
    error = item.get("error", {})
    if item.get("http_status") == 503:
        return Unavailable(str(error.get("message")))
    return _refusal(int(item.get("http_status", 400)), error)


def _refusal(status: int, error: dict[str, Any]) -> BadRequest:
    refusal = BadRequest(
        str(error.get("message") or f"The API answered {status}."),
        code=str(error.get("code") or f"http_{status}"),
        param=error.get("param"),
    )
    refusal.status = status
    return refusal


def _error_in(answer: httpx.Response) -> dict[str, Any]:
    try:
        error = answer.json().get("error")
    except (ValueError, AttributeError):
        return {}
    return error if isinstance(error, dict) else {}
