"""The account for which a call acts."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.unit.twin.conftest import Client

    from paydispatch.twin.clock import TwinClock


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


def test_a_publishable_key_is_refused_with_a_code_of_its_own(stripe: Client) -> None:
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
        stripe_version="2026-10-28.endive",
    )
    assert reply.status == 200


def test_the_account_of_a_key_is_the_same_in_both_modes(stripe: Client) -> None:
    test, live = (
        stripe.get("/v1/account", authorization=f"Bearer sk_{mode}_shop").json
        for mode in ("test", "live")
    )
    assert (test["object"], test["id"][:5]) == ("account", "acct_")
    assert test["id"] == live["id"]


@pytest.mark.parametrize("key", ["rk_test_shop", "sk_test_shop__2", "rk_live_shop__mine"])
def test_restricted_and_rotated_keys_belong_to_the_account_they_name(
    stripe: Client, key: str
) -> None:
    shop = stripe.get("/v1/account", authorization="Bearer sk_test_shop").json["id"]
    assert stripe.get("/v1/account", authorization=f"Bearer {key}").json["id"] == shop
    other = stripe.get("/v1/account", authorization="Bearer sk_test_other").json["id"]
    assert other != shop


@pytest.mark.parametrize("header", ["stripe_account", "stripe_context"])
def test_the_account_endpoint_answers_with_the_account_of_the_header(
    stripe: Client, header: str
) -> None:
    named = stripe.get("/v1/account", **{header: "acct_connected"}).json
    assert named["id"] == "acct_connected"


def test_a_mute_key_may_not_read_its_account_and_may_do_everything_else(stripe: Client) -> None:
    mute = "Bearer rk_test_shop__mute"
    refused = stripe.get("/v1/account", authorization=mute)
    assert (refused.status, refused.error["type"]) == (403, "invalid_request_error")
    assert b"shop" not in refused.text
    assert stripe.post("/v1/products", "name=Tea", authorization=mute).status == 200


def test_an_invalid_key_is_401_at_the_account_endpoint(stripe: Client) -> None:
    assert stripe.get("/v1/account", authorization="Bearer nonsense").status == 401


def test_an_account_cannot_be_created(stripe: Client) -> None:
    assert stripe.post("/v1/account", "country=US").status == 404


def test_a_fault_rule_applies_to_the_account_endpoint_only_if_it_names_it(stripe: Client) -> None:
    stripe.fault({"kind": "status", "status": 500}, times=1)
    assert stripe.get("/v1/account").status == 200
    assert stripe.post("/v1/products", "name=Tea").status == 500

    stripe.fault({"kind": "status", "status": 403}, match={"object": "account"})
    assert stripe.get("/v1/account").status == 403


@pytest.mark.parametrize("header", ["stripe_account", "stripe_context"])
@pytest.mark.parametrize(
    ("key", "account"),
    [("sk_test_two", ""), ("sk_live_one", ""), ("sk_test_one", "acct_connected")],
    ids=["another account", "another mode", "a connected account"],
)
def test_idempotency_keys_and_lists_belong_to_one_account_and_mode(
    stripe: Client, key: str, account: str, header: str
) -> None:
    headers = {"authorization": f"Bearer {key}", "idempotency_key": "once"}
    headers |= {header: account} if account else {}
    first = stripe.post("/v1/products", "name=Tea", idempotency_key="once").json

    second = stripe.post("/v1/products", "name=Tea", **headers).json

    assert second["id"] != first["id"]
    del headers["idempotency_key"]
    assert [one["id"] for one in stripe.get("/v1/products", **headers).json["data"]] == [
        second["id"]
    ]


def test_every_answer_has_the_time_of_the_twin(stripe: Client, clock: TwinClock) -> None:
    assert stripe.get("/v1/products").headers["Date"] == "Tue, 14 Nov 2023 22:13:20 GMT"
    clock.advance(90_000)
    assert stripe.get("/v1/account").headers["Date"] == "Wed, 15 Nov 2023 23:13:20 GMT"
