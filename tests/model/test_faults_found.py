"""Faults that were found in earlier code, by this search or by reading, kept by name.

Each is one run, told as the moves that lead to the fault and were harmless one by one.
"""

from __future__ import annotations

from dataclasses import replace

from tests.model.asks import ACME, Ask, keyed
from tests.model.callers import Callers, Scenario, play
from tests.model.choices import Steered
from tests.model.invariants import words
from tests.model.model_stripe import ACME_KEY, OTHER_KEY, SHOP_LIVE_KEY

HOUR_S, DAY_S = 3600.0, 24 * 3600.0

ASK = Ask()
PATIENT = Ask(deadline_s=7 * DAY_S)
HASTY = Ask(deadline_s=1800.0)
ONE = Scenario(name="one message", asks=(ASK,))
BOTH_WAIT = Scenario(name="both wait", asks=(ASK,) * 2, script={"stripe.post": ("429", "429")})
AT_THE_API = keyed(Ask(principal=ACME, key=ACME_KEY), "order-1")


def steered(scenario: Scenario, *moves: str) -> Callers:
    choices = Steered(*moves)
    stage = play(scenario, choices)
    assert not choices.wanted, f"never possible: {choices.wanted[0]}"
    return stage


def told(stage: Callers, ask: Ask = ASK) -> tuple[str, ...]:
    return words(stage.ends(ask))


class TestTwoDeliveries:
    def test_what_one_is_refused_while_another_may_create_it_is_no_verdict(self) -> None:
        stage = steered(
            ONE,
            "caller-1 redis.send: done",
            "queue delivers a duplicate",
            "caller-2 redis.send: done",
            "caller-1 stripe.post: 401",
            "caller-1 stripe.answer: done",
            "caller-1 redis.close: done",
            "stripe ends: created",
        )
        assert told(stage) == ("created",)

    def test_a_sleeper_whose_request_was_settled_meanwhile_does_not_call_stripe(self) -> None:
        stage = steered(
            BOTH_WAIT,
            "caller-1 redis.mark_retrying: done",
            "queue delivers",
            "caller-2 stripe.post: 400",
            "caller-2 redis.publish: done",
        )
        assert told(stage) == ("not_created",)
        assert not stage.stripe.made

    def test_a_request_that_another_delivery_ended_unexecuted_is_not_sent(self) -> None:
        stage = steered(
            ONE,
            "caller-1 redis.send: done",
            "caller-1 stripe.post: 401",
            "queue delivers a duplicate",
            "caller-2 stripe.account: done",
            "caller-1 stripe.answer: done",
            "caller-1 redis.close: done",
            "caller-2 redis.send: done",
        )
        assert told(stage) == ("not_created",)
        assert not stage.stripe.made

    def test_what_one_knows_does_not_end_the_doubt_of_another(self) -> None:
        stage = steered(
            BOTH_WAIT,
            "caller-1 stripe.post: 429",
            "queue delivers",
            "caller-2 stripe.post: done",
            "caller-1 stripe.answer: done",
            "caller-1 redis.mark_retrying: done",
            "time passes",
            "caller-1 redis.claim: done",
            "caller-1 stripe.post: 401",
            "stripe ends: 500 though made",
        )
        assert told(stage)[0] == "unknown"

    def test_a_word_that_comes_late_about_a_sleeper_s_last_send_says_nothing_of_its_next(
        self,
    ) -> None:
        stage = steered(
            replace(ONE, script={"stripe.post": ("429",)}),
            "caller-1 redis.end_send: done, and once more late",
            "caller-1 stripe.post: done",
            "late: caller-1 redis.end_send",
            "queue delivers a duplicate",
            "caller-2 stripe.post: 401",
            "stripe ends: created",
        )
        assert told(stage) == ("unknown", "created")

    def test_a_process_that_was_frozen_for_a_day_does_not_call_stripe(self) -> None:
        stage = steered(
            replace(ONE, asks=(PATIENT,) * 2), "caller-1 redis.send: done, then frozen for a day"
        )
        assert told(stage, PATIENT) == ("created",)


class TestReceives:
    def test_receives_of_which_none_sent_anything_leave_no_doubt(self) -> None:
        stage = steered(
            replace(ONE, receives=4, script={"stripe.post": ("401",)}),
            "caller-1 redis.claim: killed after",
        )
        assert told(stage) == ("not_created",)

    def test_a_claim_a_day_ago_starts_no_clock(self) -> None:
        stage = steered(
            replace(ONE, asks=(PATIENT,)),
            "caller-1 redis.claim: killed after",
            "nobody works for 1 days",
        )
        assert told(stage, PATIENT) == ("created",)

    def test_a_copy_of_what_was_never_sent_starts_no_clock(self) -> None:
        patient = replace(PATIENT, attempt=12)
        stage = steered(
            replace(ONE, asks=(patient,), script={"stripe.post": ("no connection",)}),
            "caller-1 queue.defer: done",
            "nobody works for 1 days",
        )
        assert told(stage, patient) == ("created",)

    def test_an_unknown_outcome_whose_only_send_was_taken_back_is_settled_in_the_end(self) -> None:
        """A redrive left it to the reconciler, which left it to a redrive."""
        hasty = replace(ASK, deadline_s=60.0)
        stage = steered(
            replace(ONE, asks=(hasty,)),
            "caller-1 redis.send: done, then frozen for a day",
            "caller-1 redis.end_send: killed after",
        )
        assert told(stage, hasty) == ("unknown", "not_created")

    def test_a_message_that_died_in_a_call_is_not_sent_again_three_weeks_later(self) -> None:
        stage = steered(
            Scenario(
                name="three weeks",
                asks=(PATIENT,),
                receives=3,
                script={
                    "stripe.answer": ("killed before",),
                    "redis.claim": ("done", "killed after"),
                },
                jumps_s=(13 * DAY_S, 9.5 * DAY_S),
            ),
            "nobody works for 13 days",
            "SQS redrives",
            "nobody works for 9.5 days",
        )
        assert told(stage, PATIENT) == ("unknown", "created")


class TestOneId:
    def test_two_workers_have_one_effect_a_day_later_too(self) -> None:
        second = replace(ASK, worker_id="worker-2")
        stage = steered(
            Scenario(name="two workers", asks=(ASK, second)),
            "caller-1 queue.delete: done",
            "nobody works for 1 days",
        )
        assert (told(stage), told(stage, second)) == (("created",), ("reused",))
        assert len(stage.stripe.posts[ASK.tenant, "pdr_1"]) == 1

    def test_two_bodies_at_one_moment_end_under_two_ids(self) -> None:
        second = replace(ASK, amount=999)
        stage = steered(Scenario(name="two bodies", asks=(ASK, second), batch_size=2))
        assert (told(stage), told(stage, second)) == (("created",), ("reused",))

    def test_a_secret_that_moves_to_another_account_makes_no_second_effect(self) -> None:
        self._lose_an_answer_and_move_to(OTHER_KEY)

    def test_a_secret_that_moves_from_test_to_live_makes_no_second_effect(self) -> None:
        self._lose_an_answer_and_move_to(SHOP_LIVE_KEY)

    def _lose_an_answer_and_move_to(self, key: str) -> None:
        stage = steered(
            Scenario(name="moved", asks=(HASTY,), repointed_to=(key,)),
            "caller-1 stripe.answer: killed before",
            "the secret is pointed at another key",
            "reconciler looks a day later",
        )
        assert told(stage, HASTY) == ("unknown",)
        assert len(stage.stripe.made) == 1

    def test_a_secret_that_is_put_right_after_a_refusal_ends_nothing(self) -> None:
        stage = steered(
            Scenario(
                name="put right",
                asks=(HASTY,),
                repointed_to=(OTHER_KEY,),
                script={"stripe.post": ("429",)},
            ),
            "caller-1 redis.end_send: done",
            "the secret is pointed at another key",
        )
        assert told(stage, HASTY) == ("created",)


class TestPrincipals:
    def test_a_stranger_who_knows_what_is_asked_does_not_end_the_request(self) -> None:
        stage = steered(
            Scenario(name="known", asks=(replace(AT_THE_API, forged=True),), posted=(AT_THE_API,)),
            "client-1 server-1 redis.claim: done",
            "queue delivers",
            "caller-1 queue.park: done",
        )
        assert told(stage, AT_THE_API) == ("created",)

    def test_a_stranger_who_comes_first_takes_no_id(self) -> None:
        first = replace(AT_THE_API, amount=1, forged=True)
        stage = steered(
            Scenario(name="first", asks=(first,), posted=(AT_THE_API,)),
            "queue delivers",
            "caller-1 queue.park: done",
        )
        assert (told(stage, first), told(stage, AT_THE_API)) == ((), ("created",))


class TestTheWayIn:
    def test_a_client_that_asks_again_after_a_lost_answer_has_one_effect(self) -> None:
        stage = steered(
            Scenario(name="posted", posted=(AT_THE_API,)),
            "client-1 server-1 sqs.send: answer lost",
            "client-1 server-2 sqs.send: done",
        )
        assert told(stage, AT_THE_API) == ("created",)

    def test_a_program_that_redispatches_after_a_lost_answer_has_one_effect(self) -> None:
        stage = steered(
            Scenario(name="dispatched", dispatched=(ASK,)),
            "program-1 sqs.send: answer lost",
            "program-1 sqs.send: done",
        )
        assert told(stage) == ("created",)

    def test_a_client_whose_server_dies_before_the_queue_is_not_told_of_a_replay(self) -> None:
        stage = steered(
            Scenario(name="posted", posted=(AT_THE_API,)),
            "client-1 server-1 redis.claim: killed after",
            "client-1 server-2 sqs.send: done",
        )
        assert told(stage, AT_THE_API) == ("created",)
