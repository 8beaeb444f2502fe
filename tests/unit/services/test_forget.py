"""`Forgetter` erases the settled work of a conversation, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest

from paydispatch.domain.envelope import Envelope
from paydispatch.domain.errors import Unavailable
from paydispatch.domain.operators.erasure import Conversation, Erased, Erasure
from paydispatch.domain.operators.redrive import Parked
from paydispatch.domain.progress import Progress
from paydispatch.services.forget import Forgetter
from paydispatch.testing.memory_conversations import (
    MemoryConversations,
    StoredOutcome,
    StoredRequest,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

ADA = Conversation(context_id="ada", tenant="queue", worker_id="w")
ADA_OF_ACME = Conversation(context_id="ada", tenant="acme", worker_id="w")
BOB = Conversation(context_id="bob", tenant="queue", worker_id="w")


@dataclass
class MemoryDeadLetters:
    """A dead-letter queue that shows each message once until it is released."""

    waiting: list[Parked] = field(default_factory=list)
    hidden: list[Parked] = field(default_factory=list)

    async def receive(self) -> Sequence[Parked]:
        page, self.waiting = self.waiting[:2], self.waiting[2:]
        self.hidden += page
        return page

    async def release(self, parked: Sequence[Parked]) -> None:
        self.waiting += parked
        self.hidden = [one for one in self.hidden if one not in parked]

    async def delete(self, parked: Parked) -> None:
        self.hidden.remove(parked)


def parked(request_id: str, context_id: str, principal: str = "queue") -> Parked:
    envelope = Envelope(
        request_id=request_id,
        object="product",
        params={"name": "Tea"},
        worker_id="w",
        context_id=context_id,
        secret_ref="shop",
        principal=principal,
        accepted_at=1.0,
        progress=Progress(deadline_at=100.0),
    )
    return Parked(
        message_id=request_id, receipt=request_id, body=envelope.as_message(), sent_at=1.0
    )


@pytest.fixture
def conversations() -> MemoryConversations:
    return MemoryConversations(
        stored={
            "r1": StoredRequest(ADA, settled=True),
            "r2": StoredRequest(ADA, settled=False),
            "r3": StoredRequest(BOB, settled=True),
            "acme r4": StoredRequest(ADA_OF_ACME, settled=True),
        },
        outcomes={
            "w": [StoredOutcome(ADA), StoredOutcome(ADA, finished=False), StoredOutcome(BOB)]
        },
        dead_flows={"w": [StoredOutcome(ADA), StoredOutcome(BOB)]},
    )


@pytest.fixture
def dead_letters() -> MemoryDeadLetters:
    return MemoryDeadLetters(
        [parked("r1", "ada"), parked("r2", "ada"), parked("r3", "bob"), parked("r4", "ada", "acme")]
    )


@pytest.fixture
def forgetter(conversations: MemoryConversations, dead_letters: MemoryDeadLetters) -> Forgetter:
    return Forgetter(conversations, dead_letters, queue_tenant="queue")


EXPECTED = Erasure(
    requests=Erased(1, 1),
    outcomes=Erased(1, 1),
    dead_flows=Erased(1),
    dead_letters=Erased(1, 1),
)


async def test_it_erases_the_settled_work_of_the_context_and_leaves_the_rest(
    forgetter: Forgetter, conversations: MemoryConversations, dead_letters: MemoryDeadLetters
) -> None:
    assert await forgetter.forget(ADA) == EXPECTED
    assert not conversations.stored["r1"].said
    assert conversations.stored["r2"].said
    assert conversations.stored["r3"].said
    assert [entry.whose for entry in conversations.outcomes["w"]] == [ADA, BOB]
    assert [entry.whose for entry in conversations.dead_flows["w"]] == [BOB]
    assert [one.message_id for one in dead_letters.waiting] == ["r2", "r3", "r4"]


async def test_an_examination_counts_the_same_and_changes_nothing(
    forgetter: Forgetter, conversations: MemoryConversations, dead_letters: MemoryDeadLetters
) -> None:
    assert await forgetter.examine(ADA) == EXPECTED
    assert await forgetter.forget(ADA) == EXPECTED


async def test_it_is_complete_once_the_rest_is_settled(
    forgetter: Forgetter, conversations: MemoryConversations
) -> None:
    assert not (await forgetter.forget(ADA)).complete
    conversations.stored["r2"].settled = True
    conversations.outcomes["w"][0].finished = True
    again = await forgetter.forget(ADA)
    assert again.complete
    assert (again.requests, again.outcomes, again.dead_letters) == (Erased(1),) * 3


async def test_another_tenant_s_conversation_of_the_same_name_stays(forgetter: Forgetter) -> None:
    acme = Conversation(context_id="ada", tenant="acme")
    assert await forgetter.forget(acme) == Erasure(requests=Erased(1), dead_letters=Erased(1))


async def test_a_dead_letter_that_no_caller_began_stays_because_its_flow_never_ran(
    forgetter: Forgetter, dead_letters: MemoryDeadLetters
) -> None:
    dead_letters.waiting.append(parked("never-begun", "ada"))
    erasure = await forgetter.forget(ADA)
    assert erasure.dead_letters == Erased(1, 2)
    assert "never-begun" in [one.message_id for one in dead_letters.waiting]


async def test_a_dead_letter_stays_if_its_request_began_while_the_erasure_ran(
    forgetter: Forgetter, conversations: MemoryConversations, dead_letters: MemoryDeadLetters
) -> None:
    async def begin(receive: Any = dead_letters.receive) -> Any:
        conversations.stored["late"] = StoredRequest(ADA, settled=False)
        return await receive()

    dead_letters.waiting.append(parked("late", "ada"))
    dead_letters.receive = begin  # type: ignore[method-assign]
    assert (await forgetter.forget(ADA)).dead_letters == Erased(1, 2)
    assert "late" in [one.message_id for one in dead_letters.waiting]


async def test_a_dead_letter_that_was_never_accepted_is_erased(
    forgetter: Forgetter, dead_letters: MemoryDeadLetters
) -> None:
    dead_letters.waiting.append(replace(parked("forged", "ada"), reason="not_accepted"))
    assert (await forgetter.forget(ADA)).dead_letters == Erased(2, 1)


async def test_a_dead_letter_whose_principal_was_not_proven_stays_while_its_request_is_open(
    forgetter: Forgetter, dead_letters: MemoryDeadLetters
) -> None:
    dead_letters.waiting.append(
        replace(parked("r2", "ada"), message_id="unproven", reason="not_accepted")
    )
    assert (await forgetter.forget(ADA)).dead_letters == Erased(1, 2)


async def test_dead_letters_are_shown_again_when_redis_goes_away(
    forgetter: Forgetter, conversations: MemoryConversations, dead_letters: MemoryDeadLetters
) -> None:
    conversations.away = True
    with pytest.raises(Unavailable):
        await forgetter.forget(ADA)
    assert len(dead_letters.waiting) == 4
    assert not dead_letters.hidden
