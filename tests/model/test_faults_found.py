"""Faults that this search or a reader found in earlier code, each kept as a test with a name.

Each test steers one run through the moves that led to the fault. Each move alone was harmless.
"""

from __future__ import annotations

from dataclasses import replace

from tests.model.asks import ACME, Ask, with_idempotency_key
from tests.model.callers import Callers, Scenario, play
from tests.model.choices import Steered
from tests.model.invariants import short_names
from tests.model.model_stripe import ACME_KEY, OTHER_KEY, SHOP_LIVE_KEY
from tests.model.scenarios import UNSEEN

HOUR_S, DAY_S = 3600.0, 24 * 3600.0

ASK = Ask()
PATIENT = Ask(deadline_s=7 * DAY_S)
HASTY = Ask(deadline_s=1800.0)
ONE = Scenario(name="one message", asks=(ASK,))
BOTH_WAIT = Scenario(name="both wait", asks=(ASK,) * 2, script={"stripe.post": ("429", "429")})
AT_THE_API = with_idempotency_key(Ask(principal=ACME, key=ACME_KEY), "order-1")


def steer(scenario: Scenario, *moves: str) -> Callers:
    choices = Steered(*moves)
    stage = play(scenario, choices)
    assert not choices.wanted, f"never possible: {choices.wanted[0]}"
    return stage


def outcomes_of(stage: Callers, ask: Ask = ASK) -> tuple[str, ...]:
    return short_names(stage.entries_of(ask))


class TestConcurrentReceives:
    def test_a_refusal_to_one_caller_is_not_final_while_another_has_an_open_send(self) -> None:
        stage = steer(
            ONE,
            "caller-1 redis.send: done",
            "queue delivers a duplicate",
            "caller-2 redis.send: done",
            "caller-1 stripe.post: 401",
            "caller-1 stripe.answer: done",
            "caller-1 redis.close: done",
            "stripe ends: created",
        )
        assert outcomes_of(stage) == ("created",)

    def test_a_caller_that_slept_while_another_settled_the_request_does_not_call_stripe(
        self,
    ) -> None:
        stage = steer(
            BOTH_WAIT,
            "caller-1 redis.mark_retrying: done",
            "queue delivers",
            "caller-2 stripe.post: 400",
            "caller-2 redis.publish: done",
        )
        assert outcomes_of(stage) == ("not_created",)
        assert not stage.stripe.made

    def test_a_request_that_another_caller_closed_is_not_sent(self) -> None:
        stage = steer(
            ONE,
            "caller-1 redis.send: done",
            "caller-1 stripe.post: 401",
            "queue delivers a duplicate",
            "caller-2 stripe.account: done",
            "caller-1 stripe.answer: done",
            "caller-1 redis.close: done",
            "caller-2 redis.send: done",
        )
        assert outcomes_of(stage) == ("not_created",)
        assert not stage.stripe.made

    def test_a_refusal_to_one_caller_does_not_clear_the_unknown_outcome_of_another(self) -> None:
        stage = steer(
            replace(BOTH_WAIT, script={**BOTH_WAIT.script, **UNSEEN}),
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
        assert outcomes_of(stage)[0] == "unknown"

    def test_a_late_end_send_of_one_send_does_not_end_the_next_send(
        self,
    ) -> None:
        stage = steer(
            replace(ONE, script={"stripe.post": ("429",), **UNSEEN}),
            "caller-1 redis.end_send: done, and once more late",
            "caller-1 stripe.post: done",
            "late: caller-1 redis.end_send",
            "queue delivers a duplicate",
            "caller-2 stripe.post: 401",
            "stripe ends: created",
        )
        assert outcomes_of(stage) == ("unknown", "created")

    def test_a_process_that_was_frozen_for_a_day_does_not_call_stripe(self) -> None:
        stage = steer(
            replace(ONE, asks=(PATIENT,) * 2), "caller-1 redis.send: done, then frozen for a day"
        )
        assert outcomes_of(stage, PATIENT) == ("created",)


class TestReceives:
    def test_receives_without_a_send_do_not_make_the_outcome_unknown(self) -> None:
        stage = steer(
            replace(ONE, receives=4, script={"stripe.post": ("401",)}),
            "caller-1 redis.claim: killed after",
        )
        assert outcomes_of(stage) == ("not_created",)

    def test_a_claim_does_not_start_the_horizon(self) -> None:
        stage = steer(
            replace(ONE, asks=(PATIENT,)),
            "caller-1 redis.claim: killed after",
            "no process runs for 1 days",
        )
        assert outcomes_of(stage, PATIENT) == ("created",)

    def test_a_deferred_copy_of_an_unsent_request_does_not_start_the_horizon(self) -> None:
        patient = replace(PATIENT, attempt=12)
        stage = steer(
            replace(ONE, asks=(patient,), script={"stripe.post": ("no connection",)}),
            "caller-1 queue.defer: done",
            "no process runs for 1 days",
        )
        assert outcomes_of(stage, patient) == ("created",)

    def test_an_unknown_outcome_is_settled_after_its_only_send_was_taken_back(self) -> None:
        """In earlier code the redrive left it to the reconciler, and the reconciler left it to the redrive."""
        hasty = replace(ASK, deadline_s=60.0)
        stage = steer(
            replace(ONE, asks=(hasty,)),
            "caller-1 redis.send: done, then frozen for a day",
            "caller-1 redis.end_send: killed after",
        )
        assert outcomes_of(stage, hasty) == ("unknown", "not_created")

    def test_a_request_is_not_sent_again_three_weeks_after_its_caller_died_in_a_call(self) -> None:
        stage = steer(
            Scenario(
                name="three weeks",
                asks=(PATIENT,),
                receives=3,
                script={
                    "stripe.answer": ("killed before",),
                    "redis.claim": ("done", "killed after"),
                    **UNSEEN,
                },
                jumps_s=(13 * DAY_S, 9.5 * DAY_S),
            ),
            "no process runs for 13 days",
            "SQS redrives",
            "no process runs for 9.5 days",
        )
        assert outcomes_of(stage, PATIENT) == ("unknown", "created")


class TestOneId:
    def test_an_id_that_one_worker_used_is_refused_to_another_a_day_later(self) -> None:
        second = replace(ASK, worker_id="worker-2")
        stage = steer(
            Scenario(name="two workers", asks=(ASK, second)),
            "caller-1 queue.delete: done",
            "no process runs for 1 days",
        )
        assert (outcomes_of(stage), outcomes_of(stage, second)) == (("created",), ("reused",))
        assert len(stage.stripe.posts[ASK.tenant, "pdr_1"]) == 1

    def test_two_bodies_under_one_id_in_one_batch_end_under_two_ids(self) -> None:
        second = replace(ASK, amount=999)
        stage = steer(Scenario(name="two bodies", asks=(ASK, second), batch_size=2))
        assert (outcomes_of(stage), outcomes_of(stage, second)) == (("created",), ("reused",))

    def test_a_secret_that_moves_to_another_account_makes_no_second_effect(self) -> None:
        self._lose_an_answer_and_move_to(OTHER_KEY)

    def test_a_secret_that_moves_from_test_to_live_makes_no_second_effect(self) -> None:
        self._lose_an_answer_and_move_to(SHOP_LIVE_KEY)

    def _lose_an_answer_and_move_to(self, key: str) -> None:
        stage = steer(
            Scenario(name="moved", asks=(HASTY,), repointed_to=(key,)),
            "caller-1 stripe.answer: killed before",
            "the secret is pointed at another key",
            "reconciler looks a day later",
        )
        assert outcomes_of(stage, HASTY) == ("unknown",)
        assert len(stage.stripe.made) == 1

    def test_a_request_continues_when_its_secret_changes_account_after_a_refusal(self) -> None:
        stage = steer(
            Scenario(
                name="put right",
                asks=(HASTY,),
                repointed_to=(OTHER_KEY,),
                script={"stripe.post": ("429",)},
            ),
            "caller-1 redis.end_send: done",
            "the secret is pointed at another key",
        )
        assert outcomes_of(stage, HASTY) == ("created",)


class TestPrincipals:
    def test_a_forged_copy_of_a_request_does_not_end_the_request(self) -> None:
        stage = steer(
            Scenario(name="known", asks=(replace(AT_THE_API, forged=True),), posted=(AT_THE_API,)),
            "client-1 server-1 redis.claim: done",
            "queue delivers",
            "caller-1 queue.park: done",
        )
        assert outcomes_of(stage, AT_THE_API) == ("created",)

    def test_a_forged_message_that_arrives_first_does_not_take_the_id(self) -> None:
        first = replace(AT_THE_API, amount=1, forged=True)
        stage = steer(
            Scenario(name="first", asks=(first,), posted=(AT_THE_API,)),
            "queue delivers",
            "caller-1 queue.park: done",
        )
        assert (outcomes_of(stage, first), outcomes_of(stage, AT_THE_API)) == ((), ("created",))


class TestTheWayIn:
    def test_a_client_that_asks_again_after_a_lost_answer_has_one_effect(self) -> None:
        stage = steer(
            Scenario(name="posted", posted=(AT_THE_API,)),
            "client-1 server-1 sqs.send: answer lost",
            "client-1 server-2 sqs.send: done",
        )
        assert outcomes_of(stage, AT_THE_API) == ("created",)

    def test_a_program_that_redispatches_after_a_lost_answer_has_one_effect(self) -> None:
        stage = steer(
            Scenario(name="dispatched", dispatched=(ASK,)),
            "program-1 sqs.send: answer lost",
            "program-1 sqs.send: done",
        )
        assert outcomes_of(stage) == ("created",)

    def test_a_repeat_is_queued_after_the_first_server_died_before_the_queue(self) -> None:
        stage = steer(
            Scenario(name="posted", posted=(AT_THE_API,)),
            "client-1 server-1 redis.claim: killed after",
            "client-1 server-2 sqs.send: done",
        )
        assert outcomes_of(stage, AT_THE_API) == ("created",)


class TestRepeats:
    LOST = Scenario(
        name="a lost answer, and a redrive after a day",
        asks=(PATIENT,) * 2,
        script={
            "stripe.post": ("done", "401", "401"),
            "stripe.answer": ("reset",),
            "stripe.look": ("no answer",) * 4,  # the looks of both messages
        },
        redrive_after_s=(25 * HOUR_S, 0.0),
    )

    def test_a_reconciler_that_dies_before_the_status_leaves_it_to_the_next_one(self) -> None:
        """The index had dropped the request with the publish, so its status stayed `unknown` for ever."""
        stage = steer(self.LOST, "last reconciler redis.publish: killed after")
        assert outcomes_of(stage, PATIENT) == ("unknown", "created")
        assert [entry.outcome.settled for entry in stage.redis.outcomes.unknown.values()] == [True]
