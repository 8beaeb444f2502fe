"""The comparison of Stripe's answers with the twin's names each difference, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from tests.sandbox.calls import every_call
from tests.sandbox.differences import differences
from tests.sandbox.session import Answer


def compared(stripe: Any, twin: Any) -> list[str]:
    return list(differences(Answer(200, stripe, False), Answer(200, twin, False)))


def test_ids_times_and_messages_may_differ() -> None:
    stripe = {"id": "prod_1", "created": 1, "name": "Tea", "message": "a"}
    assert compared(stripe, {"id": "prod_2", "created": 2, "name": "Tea", "message": "b"}) == []


@pytest.mark.parametrize(
    ("stripe", "twin", "line"),
    [
        ({"id": "a"}, {}, "id: only Stripe has it"),
        ({}, {"id": "a"}, "id: only the twin has it"),
        ({"a": {"id": None}}, {"a": {"id": "b"}}, "a.id: Stripe null, twin string"),
        ({"status": "open"}, {"status": "paid"}, "status: Stripe 'open', twin 'paid'"),
        ({"paid": 1}, {"paid": True}, "paid: Stripe number, twin boolean"),
        (
            {"data": [{"type": "a"}, {}]},
            {"data": [{"type": "b"}]},
            "data[0].type: Stripe 'a', twin 'b'",
        ),
    ],
)
def test_a_difference_is_one_line(stripe: Any, twin: Any, line: str) -> None:
    assert compared(stripe, twin) == [line]


def test_a_list_of_a_used_sandbox_may_be_longer() -> None:
    assert compared({"data": [{"id": "a"}]}, {"data": []}) == []


def test_the_names_that_a_caller_chose_are_not_compared() -> None:
    assert compared({"metadata": {"a": "1"}}, {"metadata": {}}) == []


def test_status_and_replay_are_compared() -> None:
    lines = list(differences(Answer(402, {}, True), Answer(200, {}, False)))
    assert lines == [
        "status: Stripe 402, twin 200",
        "Idempotent-Replayed: Stripe True, twin False",
    ]


def test_every_call_has_a_name_of_its_own() -> None:
    names = [call.name for call in every_call()]
    assert len(set(names)) == len(names)
