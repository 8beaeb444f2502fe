"""A DELETE over any sequence of answers, deaths, duplicates and redrives acts on one object, and its end is true."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hypothesis import example, given
from hypothesis import strategies as st
from tests.unit.examples import IN_AN_HOUR, NO_CONNECTION, NOW_S, TIMED_OUT, make_refusal
from tests.unit.services.conftest import Caller
from tests.unit.services.test_call_operations import delete_coupon, delete_discount

from paydispatch.domain.attempts import Answered
from paydispatch.domain.claims import claim_of
from paydispatch.domain.operators.object_states import Fetched
from paydispatch.domain.operators.redrive import Parked, SendBack, plan_redrive, read_parked
from paydispatch.domain.outcomes import Response

if TYPE_CHECKING:
    from collections.abc import Iterator

    from paydispatch.domain.attempts import Attempt
    from paydispatch.domain.envelope import Envelope

GONE = make_refusal(404, code="resource_missing")
FATES = ("done", "lost after", "lost before", "refused", "rate limited", "no connection", "dies")


NOTHING_DONE: dict[str, Attempt] = {
    "no connection": NO_CONNECTION,
    "rate limited": make_refusal(429),
    "refused": make_refusal(400, code="no"),
}


class Died(BaseException):
    """The process died in its call. It is no `Exception`, so that no handler of the caller sees it."""


class World:
    """Stripe with one name. The object under it can be deleted and made anew."""

    def __init__(self, asked: Envelope) -> None:
        self.asked = asked
        self.caller = Caller()
        self.caller.fraction = 0.99
        self.caller.lists.fetch = self.fetch  # type: ignore[method-assign]
        self.standing: int | None = 1
        """The number of the object under the name. None: there is none."""
        self.deleted: list[int] = []
        self.after_doubt: list[str] = []
        self.doubt = False
        self.fates: Iterator[str] = iter(())

    @property
    def told(self) -> bool:
        return bool(self.caller.outcomes.entries)

    async def fetch(self, **_: Any) -> Fetched:
        """Answer a look at the name, before an unknown outcome is published."""
        now_s = self.caller.clock.now_s()
        standing = {"id": self.asked.path["coupon"], "created": now_s + (self.standing or 0)}
        return Fetched(standing if self.standing else None, "req_get", now_s)

    def answer(self) -> Attempt:
        fate = next(self.fates, "done")
        if self.doubt:
            self.after_doubt.append(fate)
        if fate in NOTHING_DONE:
            return NOTHING_DONE[fate]
        executed = fate != "lost before" and self._delete()
        if fate in ("lost after", "lost before", "dies"):
            self.doubt = True
        if fate == "dies":
            raise Died
        if fate.startswith("lost"):
            return TIMED_OUT
        return Answered(200, {"id": "x", "deleted": True}, "req_1") if executed else GONE

    def _delete(self) -> bool:
        if self.standing is None:
            return False
        self.deleted.append(self.standing)
        self.standing = None
        return True

    def make_anew(self) -> None:
        """The owner of the name makes it anew, after a flow has told him how the DELETE ended."""
        if self.told and self.standing is None:
            self.standing = len(self.deleted) + 1

    async def receive(self, fates: tuple[str, ...], left_s: float) -> None:
        """Receive the message `left_s` before its deadline. After a short time one lost answer is its end."""
        self.fates = iter(fates)
        self.caller.answers(self.answer)
        spent = replace(IN_AN_HOUR, deadline_at=self.caller.clock.now_s() + left_s)
        try:
            await self.caller.receive(self.asked.at(spent), receive=2)
        except BaseException as error:  # the death comes out of the batch's task group
            if not _is_death(error):
                raise

    async def redrive(self) -> None:
        for body, reason, kind in self.caller.queue.parked[:]:
            parked = Parked("m", "r", body, NOW_S, reason=reason, kind=kind.value)
            read = read_parked(parked)
            now_s = self.caller.clock.now_s()
            claim = claim_of(read, "local", now_s)  # type: ignore[arg-type]
            state = await self.caller.requests.find(claim)
            planned = plan_redrive(read, parked, claim, state, now_s, deadline_s=60.0)
            if isinstance(planned, SendBack):
                self.caller.answers(self.answer)
                await self.caller.receive(planned.envelope)


def _is_death(error: BaseException) -> bool:
    inner = getattr(error, "exceptions", ())
    return isinstance(error, Died) or any(map(_is_death, inner))


receives = st.tuples(
    st.lists(st.sampled_from(FATES), max_size=3).map(tuple), st.sampled_from([0.1, 3.0])
)
steps = st.lists(st.one_of(receives, st.sampled_from(["make anew", "redrive"])), max_size=8)


TOLD_AND_ANEW = [(("lost after",), 0.1), "make anew", ((), 3.0), "redrive"]
DIES_TWICE = [(("dies",), 3.0), (("dies",), 3.0), "redrive"]


async def play(world: World, script: list[Any]) -> None:
    for step in script:
        if step == "make anew":
            world.make_anew()
        elif step == "redrive":
            await world.redrive()
        else:
            await world.receive(*step)


@given(script=steps)
@example(script=TOLD_AND_ANEW)
@example(script=DIES_TWICE)
def test_a_delete_of_an_id_deletes_no_object_that_was_made_anew(script: list[Any]) -> None:
    world = World(delete_coupon())
    asyncio.run(play(world, script))
    assert world.deleted in ([], [1])
    for entry in world.caller.outcomes.entries:
        if isinstance(entry.outcome, Response):
            assert world.deleted == [1]
        elif entry.outcome.settled:
            assert world.deleted == []


@given(script=steps)
@example(script=TOLD_AND_ANEW)
@example(script=DIES_TWICE)
def test_a_delete_of_a_place_is_not_sent_after_a_lost_answer(script: list[Any]) -> None:
    world = World(delete_discount())
    asyncio.run(play(world, script))
    assert world.after_doubt == []
