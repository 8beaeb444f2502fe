"""Faults this search has found, kept by name: four wrong verdicts, and a doubt that nothing could ever end."""

from __future__ import annotations

from tests.model.callers import DAY_S, Callers, Scenario, message, play, told
from tests.model.choices import Steered

ONE = Scenario(name="one message", messages=(message(),))
BOTH_WAIT = Scenario(
    name="both wait", messages=(message(),) * 2, script={"stripe.post": ("429", "429")}
)

LAST_RECEIVES = Scenario(
    name="last receives",
    messages=(message(deadline_s=7 * DAY_S),) * 2,
    receives=4,
    redrive_after_s=(25 * 3600.0, 0.0),
)


def steered(scenario: Scenario, *moves: str) -> Callers:
    choices = Steered(*moves)
    stage = play(scenario, choices)
    assert not choices.wanted, f"never possible: {choices.wanted[0]}"
    return stage


def test_what_one_delivery_is_refused_while_another_may_create_it_is_no_verdict() -> None:
    stage = steered(
        ONE,
        "caller-1 vault.open: done",
        "queue delivers a duplicate",
        "caller-2 vault.open: done",
        "caller-1 stripe.post: 401",
        "caller-1 stripe.answer: done",
        "caller-1 redis.publish: done",
        "stripe ends: created",
    )
    assert told(stage, "pdr_1") == ("created",)


def test_a_sleeper_whose_request_was_settled_meanwhile_does_not_call_stripe() -> None:
    stage = steered(
        BOTH_WAIT,
        "caller-1 redis.waiting: done",
        "queue delivers",
        "caller-2 stripe.post: 400",
        "caller-2 redis.publish: done",
    )
    assert told(stage, "pdr_1") == ("not_created",)
    assert not stage.stripe.made


def test_what_one_delivery_knows_does_not_end_the_doubt_of_another() -> None:
    stage = steered(
        BOTH_WAIT,
        "caller-1 stripe.post: 429",
        "queue delivers",
        "caller-2 stripe.post: done",
        "caller-1 stripe.answer: done",
        "caller-1 redis.waiting: done",
        "time passes",
        "caller-1 redis.begin: done",
        "caller-1 stripe.post: 401",
        "stripe ends: 500 though made",
    )
    assert told(stage, "pdr_1")[0] == "unknown"


def test_a_last_receive_of_which_no_call_is_known_is_settled_in_the_end() -> None:
    stage = steered(
        LAST_RECEIVES,
        "caller-1 redis.begin: away",
        "caller-1 redis.waiting: killed after",
    )
    assert told(stage, "pdr_1") == ("unknown", "not_created")


def test_copies_count_their_horizon_from_the_first_receive_that_may_have_called() -> None:
    stage = steered(LAST_RECEIVES, "nobody works for a day", "caller-2 redis.publish: away")
    assert told(stage, "pdr_1") == ("unknown", "not_created")
    assert not stage.stripe.posts
