"""Events of Stripe at the API: only what Stripe signed gets to the look queue, and nothing of the object with it."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

import pytest
from stripe import WebhookSignature
from tests.unit.examples import NOW_S, envelope

from paydispatch.domain.claims import claim_of
from paydispatch.domain.identity.request_ids import new_request_id
from paydispatch.domain.looks.messages import EventMessage
from paydispatch.domain.web.stripe_signatures import TOLERANCE_S, SigningSecret
from paydispatch.handlers.api.events import EVENT_LIMIT_BYTES

if TYPE_CHECKING:
    from tests.unit.handlers.conftest import Answer, Client

    from paydispatch.testing.memory_requests import Slot

SECRET, NEW_SECRET, FOREIGN = "whsec_old", "whsec_new", "whsec_foreign"
PATH, OF_ACME = "/v1/stripe/events/main", "/v1/stripe/events/acme/main"
REQUEST_ID = new_request_id(1_800_000_000.0)
CARD, KEY = "4242424242424242", "sk_live_" + "Hush" * 6
EVENT: dict[str, Any] = {
    "id": "evt_1",
    "object": "event",
    "type": "payment_intent.succeeded",
    "account": "acct_2",
    "livemode": True,
    "created": 1_800_000_000,
    "request": {"id": "req_1", "idempotency_key": REQUEST_ID},
    "data": {"object": {"id": "pi_1", "description": f"{CARD} {KEY}"}},
}


@pytest.fixture
def hooked(client: Client) -> Client:
    """The client of an API with a webhook for its own tenant and one for the tenant acme."""
    client.webhooks.secrets = {
        ("local", "main"): [SigningSecret(SECRET), SigningSecret(NEW_SECRET)],
        ("acme", "main"): [SigningSecret("whsec_acme")],
    }
    return client


def send(
    client: Client,
    event: Any = EVENT,
    *,
    path: str = PATH,
    secret: str = SECRET,
    age_s: float = 0.0,
    encoded: bool = False,
) -> Answer:
    """Send an event as Stripe does. Text is signed unchanged."""
    body = event if isinstance(event, str) else json.dumps(event, indent=2)
    at = int(client.clock.now_s() - age_s)
    signature = WebhookSignature.generate_signature_header(body, secret, at)
    return client.send("POST", path, body, headers={"stripe-signature": signature}, encoded=encoded)


def queued(client: Client) -> list[EventMessage]:
    assert client.look_queue is not None
    return client.look_queue.sent


def test_a_signed_event_of_a_request_is_queued(hooked: Client) -> None:
    answer = send(hooked)
    assert (answer.status, answer.json) == (200, {"received": True, "queued": True})
    assert queued(hooked) == [
        EventMessage(
            event_id="evt_1",
            type="payment_intent.succeeded",
            request_id=REQUEST_ID,
            account="acct_2",
            livemode=True,
            created=1_800_000_000.0,
            tenant="local",
        )
    ]


def test_nothing_of_the_event_s_object_is_queued_or_logged(hooked: Client) -> None:
    send(hooked)
    kept = queued(hooked)[0].as_json() + repr(hooked.log.lines)
    assert not [text for text in (CARD, KEY, "pi_1", "req_1", SECRET) if text in kept]


@pytest.mark.parametrize("secret", [SECRET, NEW_SECRET])
def test_while_the_secret_is_rotated_either_one_signs(hooked: Client, secret: str) -> None:
    assert send(hooked, secret=secret).status == 200


def test_a_tenant_has_webhooks_of_its_own(hooked: Client) -> None:
    assert send(hooked, path=OF_ACME, secret="whsec_acme").status == 200
    assert [event.tenant for event in queued(hooked)] == ["acme"]


def test_the_body_may_come_in_base64(hooked: Client) -> None:
    assert send(hooked, EVENT | {"note": "茶"}, encoded=True).status == 200
    assert len(queued(hooked)) == 1


def test_a_replay_of_a_valid_event_is_queued_again_with_the_same_message(hooked: Client) -> None:
    assert [send(hooked).status, send(hooked, age_s=TOLERANCE_S).status] == [200, 200]
    first, again = queued(hooked)
    assert first == again


@pytest.mark.parametrize(
    ("told", "options"),
    [
        ("forged", {"secret": FOREIGN}),
        ("forged", {"secret": "whsec_acme"}),
        ("forged", {"secret": SECRET, "path": OF_ACME}),
        ("stale", {"age_s": TOLERANCE_S + 1}),
    ],
)
def test_forged_foreign_and_stale_events_are_refused(
    hooked: Client, told: str, options: dict[str, Any]
) -> None:
    answer = send(hooked, **options)
    assert (answer.status, answer.error["code"]) == (400, "signature_invalid")
    assert told in answer.error["message"]
    assert not queued(hooked)


def test_an_event_without_a_signature_is_refused_before_any_secret_is_asked_for(
    hooked: Client,
) -> None:
    assert hooked.post(PATH, EVENT).status == 400
    assert not hooked.webhooks.asked


def test_a_changed_body_is_refused(hooked: Client) -> None:
    signature = WebhookSignature.generate_signature_header(
        json.dumps(EVENT), SECRET, int(hooked.clock.now_s())
    )
    other = json.dumps(EVENT | {"livemode": False})
    answer = hooked.send("POST", PATH, other, headers={"stripe-signature": signature})
    assert answer.status == 400
    assert not queued(hooked)


@pytest.mark.parametrize(
    "path",
    [
        "/v1/stripe/events/other",
        "/v1/stripe/events/bank/main",
        "/v1/stripe/events/a%2Fb",
        "/v1/stripe/events/local:/main",
        "/v1/stripe/events/",
        "/v1/stripe/events/a/b/c",
        "/v1/stripe/events/" + "x" * 129,
    ],
)
def test_an_unknown_webhook_is_a_404(hooked: Client, path: str) -> None:
    hooked.webhooks.secrets["local:", "main"] = hooked.webhooks.secrets["local", "main"]
    hooked.webhooks.secrets["local", "x" * 129] = hooked.webhooks.secrets["local", "main"]
    assert send(hooked, path=path).status == 404
    assert not queued(hooked)


@pytest.mark.parametrize(
    "event",
    [
        EVENT | {"request": None},
        EVENT | {"request": {"id": "req_1", "idempotency_key": None}},
        EVENT | {"request": {"id": None, "idempotency_key": "order-1"}},
        EVENT | {"request": {"idempotency_key": REQUEST_ID + "0"}},
        EVENT | {"request": {"idempotency_key": "acme " + REQUEST_ID}},
        EVENT | {"request": {"idempotency_key": "a{b}"}},
        EVENT | {"request": {"idempotency_key": "x" * 256}},
        EVENT | {"type": "charge.succeeded"},
        EVENT | {"type": "x" * 1_000},
        EVENT | {"id": "evt_" + "x" * 300},
        EVENT | {"account": "acct_" + "x" * 300},
        [EVENT],
        "not json",
        "NaN",
        "",
        '{"request": ' * 10_000,
    ],
)
def test_a_signed_event_of_nobody_s_request_is_received_and_dropped(
    hooked: Client, event: Any
) -> None:
    answer = send(hooked, event)
    assert (answer.status, answer.json) == (200, {"received": True, "queued": False})
    assert not queued(hooked)


OF_A_PRODUCER = EVENT | {"request": {"id": None, "idempotency_key": "order-1"}}


def claim_of_producer(client: Client) -> Slot:
    """Make the slot of a request whose id a direct producer chose. The Stripe caller has claimed it."""
    claim = claim_of(envelope(request_id="order-1", principal="queue"), "local", NOW_S)
    client.requests.store.claim(claim, queued=True)
    return client.requests.store.slots["order-1"]


def test_an_event_of_an_id_that_a_producer_chose_is_queued_while_its_request_is_open(
    hooked: Client,
) -> None:
    slot = claim_of_producer(hooked)
    assert send(hooked, OF_A_PRODUCER).json["queued"]
    slot.status = "unknown"
    assert send(hooked, OF_A_PRODUCER).json["queued"]
    assert [event.request_id for event in queued(hooked)] == ["order-1"] * 2


@pytest.mark.parametrize("status", ["succeeded", "failed"])
def test_an_event_of_a_chosen_id_is_dropped_after_the_end(hooked: Client, status: str) -> None:
    claim_of_producer(hooked).status = status
    assert not send(hooked, OF_A_PRODUCER).json["queued"]


def test_a_webhook_of_another_tenant_finds_no_request_of_the_queue_s_producers(
    hooked: Client,
) -> None:
    claim_of_producer(hooked)
    assert not send(hooked, OF_A_PRODUCER, path=OF_ACME, secret="whsec_acme").json["queued"]


def test_of_an_id_that_paydispatch_made_redis_is_not_asked(hooked: Client) -> None:
    hooked.requests.away = True
    assert send(hooked).json["queued"]
    assert send(hooked, OF_A_PRODUCER).status == 503


def test_a_time_of_hundreds_of_digits_is_no_fault(hooked: Client) -> None:
    assert send(hooked, json.dumps(EVENT).replace("1800000000", "9" * 400)).status == 200
    assert queued(hooked)[0].created == 0.0


def test_without_a_look_queue_the_api_takes_no_events_and_says_so(hooked: Client) -> None:
    hooked.look_queue = None
    answer = send(hooked)
    assert (answer.status, answer.error["code"]) == (404, "webhook_unknown")
    assert "LOOK_QUEUE_URL" in answer.error["message"]


@pytest.mark.parametrize("part", ["look_queue", "webhooks"])
def test_while_a_service_is_away_stripe_is_told_to_come_again(hooked: Client, part: str) -> None:
    getattr(hooked, part).away = True
    answer = send(hooked)
    assert answer.status == 503
    assert answer.headers["Retry-After"]
    assert not queued(hooked)


def test_a_body_over_the_limit_is_a_413(hooked: Client) -> None:
    assert send(hooked, "x" * (EVENT_LIMIT_BYTES + 1)).status == 413


def test_no_sign_in_is_needed_because_the_signature_is_one(aws_client: Client) -> None:
    aws_client.webhooks.secrets = {("local", "main"): [SigningSecret(SECRET)]}
    assert send(aws_client).status == 200


ALPHABET = '{}[]":,.0123456789eE+-\\u tnfalsrx\x00\ud800é茶'
VALUES: tuple[Any, ...] = (
    None,
    True,
    -1,
    10**400,
    1.5,
    "",
    "\ud800",
    "pdr_",
    REQUEST_ID,
    [],
    {},
    [[]],
    {"idempotency_key": []},
)


def fuzzed(dice: random.Random) -> Any:
    """Return a body: random text, an event with a member that is replaced, or a text that is cut."""
    kind = dice.randrange(3)
    if kind == 0:
        return "".join(dice.choices(ALPHABET, k=dice.randrange(80)))
    event = {**EVENT, dice.choice([*EVENT, "tenant"]): dice.choice(VALUES)}
    text = json.dumps(event)
    return text[: dice.randrange(len(text))] if kind == 1 else text


def test_ten_thousand_fuzzed_bodies_get_no_5xx(hooked: Client) -> None:
    dice = random.Random(13)
    api, statuses = hooked.api(), set()
    for _ in range(10_000):
        body = fuzzed(dice)
        signable = body.encode("utf-8", "replace").decode()
        at = int(hooked.clock.now_s()) + dice.choice([0, 0, 0, -1_000])
        good = WebhookSignature.generate_signature_header(signable, SECRET, at)
        signature = dice.choice([good, good, good[:-1], body[:100], "", f"t={at},v1=\udcff"])
        answer = hooked.send(
            "POST",
            dice.choice([PATH, PATH, PATH, OF_ACME, PATH + body[:5]]),
            dice.choice([signable, body]),
            headers={"stripe-signature": signature},
            api=api,
        )
        statuses.add(answer.status)
    assert statuses == {200, 400, 404}
    assert {event.request_id for event in queued(hooked)} == {REQUEST_ID}
