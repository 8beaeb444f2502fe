"""Who a call acts for."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.unit.twin.conftest import Client


def _basic(user: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:".encode()).decode()


@pytest.mark.parametrize(
    "authorization", ["Bearer sk_test_a", _basic("sk_test_a"), _basic("rk_live_b")]
)
def test_secret_and_restricted_keys_are_accepted(stripe: Client, authorization: str) -> None:
    assert stripe.post("/v1/products", "name=Tea", authorization=authorization).status == 200


@pytest.mark.parametrize(
    "authorization", ["", "Bearer ", "Digest sk_test_a", "Basic %%%", _basic("")]
)
def test_no_key_is_401(stripe: Client, authorization: str) -> None:
    reply = stripe.post("/v1/products", "name=Tea", authorization=authorization)
    assert (reply.status, reply.error["type"]) == (401, "invalid_request_error")
    assert reply.headers["WWW-Authenticate"] == 'Basic realm="Stripe"'


def test_an_unknown_key_is_401_and_is_not_repeated(stripe: Client) -> None:
    reply = stripe.post("/v1/products", "name=Tea", authorization="Bearer nonsense_9f3")
    assert reply.status == 401
    assert b"nonsense" not in reply.text


def test_a_publishable_key_is_refused_by_name(stripe: Client) -> None:
    reply = stripe.post("/v1/products", "name=Tea", authorization="Bearer pk_test_a")
    assert (reply.status, reply.error["code"]) == (403, "secret_key_required")


def test_accounts_and_modes_see_only_their_own_objects(stripe: Client) -> None:
    product = stripe.post("/v1/products", "name=Tea").json
    path = f"/v1/products/{product['id']}"
    assert stripe.get(path).status == 200
    assert stripe.get(path, authorization="Bearer sk_test_two").status == 404
    assert stripe.get(path, authorization="Bearer sk_live_one").status == 404
    assert stripe.get(path, stripe_account="acct_connected").status == 404


def test_live_mode_shows_in_the_object(stripe: Client) -> None:
    live = stripe.post("/v1/products", "name=Tea", authorization="Bearer sk_live_one")
    assert live.json["livemode"] is True


def test_an_organisation_key_needs_a_context_and_a_version(stripe: Client) -> None:
    key = "Bearer sk_org_test_a"
    assert stripe.post("/v1/products", "name=Tea", authorization=key).status == 400
    reply = stripe.post(
        "/v1/products",
        "name=Tea",
        authorization=key,
        stripe_context="acct_1",
        stripe_version="2026-05-27.dahlia",
    )
    assert reply.status == 200
