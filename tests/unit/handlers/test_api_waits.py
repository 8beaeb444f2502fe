"""`Prefer: wait=N`: the API answers with the outcome if it comes in time, and never with another request's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.examples import NOW_S, body, make_failure, make_success
from tests.unit.handlers.conftest import Context

from paydispatch.services.wait_for_outcome import pauses_s

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.unit.handlers.conftest import Client

INTENTS = "/v1/payment_intents"
WAIT = {"prefer": "wait=10"}
OF_ANOTHER = "f1:" + "0" * 64


def at(client: Client, second: float, status: str, **fields: Any) -> Callable[[float], None]:
    """Return a function that settles every request of the client at that second."""

    def settle(now_s: float) -> None:
        if now_s >= NOW_S + second:
            for slot in client.requests.store.slots.values():
                slot.status = status
                slot.outcome = fields.get("outcome", make_success())

    return settle


def test_an_outcome_in_time_is_the_answer(client: Client) -> None:
    client.meanwhile = at(client, 1.0, "succeeded")
    answer = client.post(INTENTS, body(), headers=WAIT)
    assert (answer.status, answer.json["status"]) == (200, "succeeded")
    assert answer.json["parsed_data"] == {"id": "pi_1"}
    assert answer.headers["Preference-Applied"] == "wait=10"
    assert answer.headers["Location"] == f"/v1/requests/{answer.json['request_id']}"
    assert client.clock.now_s() < NOW_S + 3


def test_a_failure_is_an_outcome_too(client: Client) -> None:
    client.meanwhile = at(client, 0.1, "failed", outcome=make_failure())
    answer = client.post(INTENTS, body(), headers=WAIT)
    assert (answer.status, answer.json["status"]) == (200, "failed")
    assert answer.json["parsed_error"]["message"] == "No such customer"


def test_an_outcome_that_takes_longer_is_a_202_as_without_the_wait(client: Client) -> None:
    answer = client.post(INTENTS, body(), headers=WAIT)
    assert (answer.status, answer.json["status"]) == (202, "dispatched")
    assert answer.headers["Preference-Applied"] == "wait=10"
    assert NOW_S + 10 <= client.clock.now_s() < NOW_S + 11
    assert len(client.queue.sent) == 1


def test_an_unknown_outcome_is_waited_for_because_it_is_not_settled(client: Client) -> None:
    client.meanwhile = at(client, 1.0, "unknown")
    answer = client.post(INTENTS, body(), headers=WAIT)
    assert (answer.status, answer.json["status"]) == (202, "unknown")


def test_the_outcome_of_a_repeat_is_that_of_the_first_request(client: Client) -> None:
    headers = {**WAIT, "idempotency-key": "order-1"}
    client.meanwhile = at(client, 1.0, "succeeded")
    first, again = (client.post(INTENTS, body(), headers=headers) for _ in range(2))
    assert (again.status, again.json) == (200, first.json)
    assert again.headers["Idempotent-Replayed"] == "true"


def test_another_body_under_a_used_key_never_gets_the_outcome(client: Client) -> None:
    headers = {**WAIT, "idempotency-key": "order-1"}
    client.meanwhile = at(client, 1.0, "succeeded")
    client.post(INTENTS, body(), headers=headers)
    for other in (body(context_id="context-2"), body(worker_id="worker-2")):
        answer = client.post(INTENTS, other, headers=headers)
        assert (answer.status, answer.error["code"]) == (409, "idempotency_key_reused")


def test_an_accepted_request_stays_accepted_if_redis_goes_away_meanwhile(client: Client) -> None:
    def go_away(_: float) -> None:
        client.requests.away = True

    client.meanwhile = go_away
    answer = client.post(INTENTS, body(), headers=WAIT)
    assert (answer.status, answer.json["status"]) == (202, "dispatched")


@pytest.mark.parametrize(
    ("preference", "seconds"),
    [
        ("wait=10", 10),
        ("respond-async, wait=10", 10),
        ("Wait=10", 10),
        ('wait="10"', 10),
        ("wait = 10; strict", 10),
        ("wait=10, wait=20", 10),
        ("wait=3600", 25),
        ("wait=0", 0),
        ("wait=-1", 0),
        ("wait=1.5", 0),
        ("wait=" + "9" * 5000, 0),
        ("await=10", 0),
        ("respond-async", 0),
        ("", 0),
    ],
)
def test_a_preference_is_bounded_and_ignored_if_it_cannot_be_read(
    client: Client, preference: str, seconds: int
) -> None:
    answer = client.post(INTENTS, body(), headers={"prefer": preference})
    assert answer.status == 202
    assert round(client.clock.now_s() - NOW_S) == seconds
    assert answer.headers.get("Preference-Applied") == (f"wait={seconds}" if seconds else None)


def test_the_answer_leaves_before_the_invocation_ends(client: Client) -> None:
    client.context = Context(left_ms=7_500)
    answer = client.post(INTENTS, body(), headers={"prefer": "wait=20"})
    assert answer.headers["Preference-Applied"] == "wait=5"


def test_a_wait_looks_at_growing_distances() -> None:
    pauses = list(pauses_s(25))
    assert sum(pauses) == pytest.approx(25)
    assert len(pauses) < 40
    assert pauses[:-1] == sorted(pauses[:-1])


class TestStatus:
    def test_a_status_waits_for_the_outcome(self, client: Client) -> None:
        location = client.post(INTENTS, body()).headers["Location"]
        client.meanwhile = at(client, 2.0, "succeeded")
        answer = client.get(location, headers=WAIT)
        assert (answer.status, answer.json["status"]) == (200, "succeeded")
        assert answer.headers["Preference-Applied"] == "wait=10"

    def test_a_status_with_its_fingerprint_says_so(self, client: Client) -> None:
        location = client.post(INTENTS, body()).headers["Location"]
        own = client.queue.sent[0].fingerprint
        assert own is not None
        answer = client.get(location, query={"fingerprint": own})
        assert (answer.status, answer.json["fingerprint"]) == (200, own)
        assert "fingerprint" not in client.get(location).json

    def test_the_outcome_of_another_fingerprint_is_not_shown(self, client: Client) -> None:
        location = client.post(INTENTS, body()).headers["Location"]
        client.meanwhile = at(client, 1.0, "succeeded")
        answer = client.get(location, query={"fingerprint": OF_ANOTHER}, headers=WAIT)
        assert (answer.status, answer.error["code"]) == (409, "idempotency_key_reused")
        assert "pi_1" not in answer.text

    def test_a_request_of_another_tenant_is_not_waited_for_in_its_place(
        self, aws_client: Client
    ) -> None:
        shop, bank = (
            {"jwt": {"claims": {"tenant": tenant, "sub": "a"}}} for tenant in ("shop", "bank")
        )
        location = aws_client.post(INTENTS, body(), authorizer=shop).headers["Location"]
        aws_client.meanwhile = at(aws_client, 1.0, "succeeded")
        assert aws_client.get(location, authorizer=bank, headers=WAIT).status == 404
        assert aws_client.get(location, authorizer=shop, headers=WAIT).status == 200
