"""Stripe over HTTP: one call, and the attempt that its answer or its failure is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from paydispatch.adapters.stripe.client import BrokenCall
from paydispatch.domain.attempts import Attempt, classify
from paydispatch.domain.form_encoding import encode
from paydispatch.domain.stripe.stripe_version import STRIPE_API_VERSION

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paydispatch.adapters.stripe.client import HttpClient, HttpResponse
    from paydispatch.domain.credentials import StripeKey


async def make_stripe_request(
    client: HttpClient,
    secret_key: str,
    path: str,
    form_data: Mapping[str, Any],
    *,
    method: str = "POST",
    idempotency_key: str | None = None,
    stripe_account: str | None = None,
    stripe_context: str | None = None,
    version: str = STRIPE_API_VERSION,
) -> HttpResponse:
    """Make one call with `form_data` (nested as in JSON) and return the whole answer.

    A POST has the form as its body. A DELETE has it as its query, as Stripe's library sends it (`_api_requestor.py`).
    `client` is a `StripeClient`, which raises `BrokenCall`, or an `httpx.AsyncClient`, which raises errors of its own.
    """
    form = encode(form_data)
    posts = method == "POST"
    headers = {
        "Authorization": f"Bearer {secret_key}",
        "Content-Type": "application/x-www-form-urlencoded" if posts else None,
        "Stripe-Version": version,
        "Idempotency-Key": idempotency_key,
        "Stripe-Account": stripe_account,
        "Stripe-Context": stripe_context,
    }
    sent = {name: value for name, value in headers.items() if value is not None}
    if posts:
        return await client.request(method, path, content=form, headers=sent)
    url = f"{path}?{form.decode()}" if form else path
    return await client.request(method, url, headers=sent)


class HttpStripeGateway:
    """`StripeGateway` over HTTP. It makes one HTTP call per call, and does not retry."""

    def __init__(self, client: HttpClient, *, version: str = STRIPE_API_VERSION) -> None:
        self._client = client
        self._version = version

    async def call(
        self,
        *,
        method: str,
        path: str,
        params: Mapping[str, Any],
        key: StripeKey,
        request_id: str,
        stripe_account: str | None,
        stripe_context: str | None = None,
    ) -> Attempt:
        try:
            response = await make_stripe_request(
                self._client,
                key.reveal(),
                path,
                params,
                method=method,
                idempotency_key=request_id if method == "POST" else None,
                stripe_account=stripe_account,
                stripe_context=stripe_context,
                version=self._version,
            )
        except BrokenCall as broken:
            return broken.attempt
        return classify(response.status_code, response.headers, _json_or_none(response.content))


def _json_or_none(content: bytes) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None
