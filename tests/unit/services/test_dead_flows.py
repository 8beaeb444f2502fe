"""Dead flows run again: none is lost, none runs out of turn, and none that could do harm."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.examples import entry, make_failure, make_success

from paydispatch.domain.errors import Unavailable
from paydispatch.domain.operators.dead_flows import RERUN_WITHIN_S, DeadFlowChoice
from paydispatch.domain.outcomes import FLOW_FAILED, Certainty, ErrorKind
from paydispatch.services.dead_flows import DeadFlows, DeadFlowWalk, RerunAction
from paydispatch.testing.memory_clock import MemoryClock
from paydispatch.testing.memory_dead_streams import MemoryDeadStreams
from paydispatch.testing.memory_doorbells import MemoryDoorbell
from paydispatch.testing.memory_inbox import MemoryInbox

if TYPE_CHECKING:
    from paydispatch.domain.entry import OutcomeEntry

ERROR_SCRIPT = entry(outcome=make_failure()).flow_name
ALL = DeadFlowChoice()
UNKNOWN = make_failure(certainty=Certainty.UNKNOWN)
ITS_SCRIPT_FAILED = make_failure(
    kind=ErrorKind.DISPATCHER, code=FLOW_FAILED, certainty=Certainty.UNKNOWN
)


class Morgue:
    """The service over an inbox in memory, and the steps of a test."""

    def __init__(self) -> None:
        self.clock = MemoryClock()
        self.inbox = MemoryInbox(self.clock)
        self.streams = MemoryDeadStreams(self.inbox, self.clock)
        self.doorbell = MemoryDoorbell()
        self.service = DeadFlows(streams=self.streams, doorbell=self.doorbell, clock=self.clock)

    async def bury(self, *dying: OutcomeEntry, reason: str = "OSError: no database") -> None:
        for each in dying:
            self.inbox.put(each)
            (turn,) = await self.inbox.take(each.worker_id, at_most=1)
            await self.inbox.move_to_dead_stream(
                turn, reason=reason, successor=None, take_next=False
            )

    async def rerun(self, choice: DeadFlowChoice = ALL, left: int = 100) -> DeadFlowWalk:
        walk = DeadFlowWalk(left=left)
        await self.service.rerun(choice, walk)
        return walk

    async def examine(self, choice: DeadFlowChoice = ALL, left: int = 100) -> DeadFlowWalk:
        walk = DeadFlowWalk(left=left)
        await self.service.examine(choice, walk)
        return walk

    @property
    def waiting(self) -> list[str]:
        """The requests of the entries that will run, in order."""
        return [each.request_id for each in self.inbox.unfinished_entries()]

    @property
    def dead(self) -> int:
        return len(self.inbox.dead_flows())


@pytest.fixture
def morgue() -> Morgue:
    return Morgue()


def actions(walk: DeadFlowWalk) -> list[RerunAction]:
    return [one.action for one in walk.examined]


async def test_a_dead_flow_runs_again_and_is_dead_no_more(morgue: Morgue) -> None:
    await morgue.bury(entry())
    walk = await morgue.rerun()
    assert (actions(walk), morgue.waiting, morgue.dead) == ([RerunAction.RERUN], ["pdr_1"], 0)
    assert morgue.doorbell.rung == ["worker-1"]


async def test_a_look_changes_nothing(morgue: Morgue) -> None:
    await morgue.bury(entry())
    walk = await morgue.examine()
    assert (actions(walk), morgue.waiting, morgue.dead) == ([RerunAction.LEFT], [], 1)
    assert morgue.doorbell.rung == []


async def test_it_runs_as_the_last_of_its_context_and_in_the_order_of_deaths(
    morgue: Morgue,
) -> None:
    await morgue.bury(*(entry(request_id=f"pdr_{number}") for number in (1, 2, 3)))
    morgue.inbox.put(entry(request_id="pdr_waits"))
    await morgue.rerun()
    assert morgue.waiting == ["pdr_waits", "pdr_1", "pdr_2", "pdr_3"]


async def test_it_has_all_of_its_runs_again(morgue: Morgue) -> None:
    await morgue.bury(entry())
    await morgue.rerun()
    (turn,) = await morgue.inbox.take("worker-1", at_most=1)
    assert (turn.attempt, turn.killed) == (1, 0)


async def test_a_flow_that_dies_again_at_once_is_not_taken_twice(morgue: Morgue) -> None:
    await morgue.bury(entry())
    walk = DeadFlowWalk(left=100)
    service = DeadFlows(streams=DyingAgain(morgue), doorbell=morgue.doorbell, clock=morgue.clock)
    await service.rerun(ALL, walk)
    assert len(walk.examined) == 1
    assert morgue.dead == 1


class DyingAgain(MemoryDeadStreams):
    """A runner gives each entry up a moment after it was moved back."""

    def __init__(self, morgue: Morgue) -> None:
        super().__init__(morgue.inbox, morgue.clock)
        self._morgue = morgue

    async def rerun(self, worker_slot: str, dead: Any) -> Any:
        moved = await super().rerun(worker_slot, dead)
        self._morgue.clock.advance(1)
        (turn,) = await self._morgue.inbox.take(worker_slot, at_most=1)
        await self._morgue.inbox.move_to_dead_stream(
            turn, reason="again", successor=None, take_next=False
        )
        return moved


@pytest.mark.parametrize(
    ("choice", "chosen"),
    [
        (DeadFlowChoice(worker_id="worker-2"), ["pdr_2"]),
        (DeadFlowChoice(context_id="other"), ["pdr_3"]),
        (DeadFlowChoice(script=ERROR_SCRIPT), ["pdr_4"]),
        (DeadFlowChoice(script="any_response"), ["pdr_5"]),
        (DeadFlowChoice(since_s=60), ["pdr_4", "pdr_5"]),
        (DeadFlowChoice(id="pdr_1"), ["pdr_1"]),
        (DeadFlowChoice(worker_id="worker-1", context_id="other"), ["pdr_3"]),
        (DeadFlowChoice(id="pdr_9"), []),
    ],
    ids=str,
)
async def test_a_choice_takes_what_it_names(
    morgue: Morgue, choice: DeadFlowChoice, chosen: list[str]
) -> None:
    await morgue.bury(
        entry(request_id="pdr_1"),
        entry(request_id="pdr_2", worker_id="worker-2"),
        entry(request_id="pdr_3", context_id="other"),
    )
    morgue.clock.advance(3_600)
    await morgue.bury(entry(request_id="pdr_4", outcome=make_failure()))
    await morgue.bury(entry(request_id="pdr_5"), reason="any_response: KeyError: 'id'")
    walk = await morgue.examine(choice)
    assert [one.dead.entry.request_id for one in walk.examined if one.dead.entry] == chosen


async def test_an_id_of_the_dead_stream_names_one_flow(morgue: Morgue) -> None:
    await morgue.bury(entry(outcome=UNKNOWN), entry())
    first, _ = (await morgue.examine()).examined
    walk = await morgue.examine(DeadFlowChoice(id=first.dead.dead_id))
    assert [one.dead.dead_id for one in walk.examined] == [first.dead.dead_id]


async def test_an_old_outcome_stays_because_its_requests_are_not_remembered(
    morgue: Morgue,
) -> None:
    await morgue.bury(entry(settled_at=morgue.clock.now_s()))
    morgue.clock.advance(RERUN_WITHIN_S)
    walk = await morgue.rerun()
    assert (actions(walk), morgue.dead) == ([RerunAction.STAYS], 1)
    assert "older than 24 days" in str(walk.examined[0].stays)


async def test_an_unknown_outcome_that_was_settled_since_stays(morgue: Morgue) -> None:
    await morgue.bury(entry(outcome=UNKNOWN))
    morgue.streams.settled.add(("worker-1", "pdr_1"))
    walk = await morgue.rerun()
    assert (actions(walk), morgue.dead) == ([RerunAction.STAYS], 1)


async def test_the_error_of_a_failed_response_stays_while_that_response_runs_again(
    morgue: Morgue,
) -> None:
    """The response succeeds now, so that nobody may hear that it failed."""
    await morgue.bury(entry(outcome=make_success()), entry(outcome=ITS_SCRIPT_FAILED))
    assert actions(await morgue.rerun()) == [RerunAction.RERUN, RerunAction.STAYS]


async def test_the_error_of_a_failed_response_stays_after_that_response_ran_again(
    morgue: Morgue,
) -> None:
    await morgue.bury(entry(outcome=make_success()), entry(outcome=ITS_SCRIPT_FAILED))
    await morgue.rerun()
    (left,) = (await morgue.rerun()).examined
    assert left.action is RerunAction.STAYS
    walk = await morgue.rerun(DeadFlowChoice(id=left.dead.dead_id))
    assert actions(walk) == [RerunAction.RERUN]


async def test_the_error_of_a_failed_response_runs_if_only_its_script_is_chosen(
    morgue: Morgue,
) -> None:
    await morgue.bury(entry(outcome=make_success()), entry(outcome=ITS_SCRIPT_FAILED))
    walk = await morgue.rerun(DeadFlowChoice(script=ERROR_SCRIPT))
    assert actions(walk) == [RerunAction.RERUN]


async def test_what_another_operator_took_is_gone(morgue: Morgue) -> None:
    await morgue.bury(entry())
    (found,) = (await morgue.examine()).examined
    held = morgue.inbox.ended.pop(found.dead.entry_id)
    assert held
    assert await morgue.streams.rerun("worker-1", found.dead) == "gone"


async def test_a_walk_that_is_cut_off_goes_on_where_it_was(morgue: Morgue) -> None:
    for worker in ("worker-1", "worker-2"):
        for number in range(3):
            await morgue.bury(entry(request_id=f"{worker}-{number}", worker_id=worker))
    walk, seen = DeadFlowWalk(left=2), []
    while True:
        await morgue.service.rerun(ALL, walk)
        seen += [one.dead.entry.request_id for one in walk.examined if one.dead.entry]
        if not walk.may_be_more:
            break
        walk.examined, walk.left = [], 2
    assert seen == [f"worker-{w}-{number}" for w in (1, 2) for number in range(3)]


async def test_moved_flows_are_rung_for_although_the_store_goes_away(morgue: Morgue) -> None:
    await morgue.bury(entry(request_id="pdr_1"), entry(request_id="pdr_2"))
    walk = DeadFlowWalk(left=100)
    service = DeadFlows(
        streams=GoingAway(morgue.inbox, morgue.clock), doorbell=morgue.doorbell, clock=morgue.clock
    )
    with pytest.raises(Unavailable):
        await service.rerun(ALL, walk)
    assert (actions(walk), morgue.doorbell.rung) == ([RerunAction.RERUN], ["worker-1"])


class GoingAway(MemoryDeadStreams):
    """A store that is away after one move."""

    async def rerun(self, worker_slot: str, dead: Any) -> Any:
        if dead.entry.request_id == "pdr_2":
            raise Unavailable("Redis is unavailable")
        return await super().rerun(worker_slot, dead)
