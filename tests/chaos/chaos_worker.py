"""The real `paydispatch worker` with wrapped ports that can kill it at named points.

python -m tests.chaos.chaos_worker worker --all --flows DIR
"""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

from tests.chaos.points import ACKNOWLEDGED, FOLLOWED_UP, RETURNED, Points
from tests.chaos.wrapping import Wrapper

from paydispatch.cli.main import main
from paydispatch.compose import flow_runner as composition


class Scripts(Wrapper):
    async def run(self, name: str, argument: Any, flow: Any) -> None:
        await self.inner.run(name, argument, flow)
        self.points.reach(RETURNED, flow.request_id)


class Queue(Wrapper):
    async def send(self, envelopes: Any) -> None:
        await self.inner.send(envelopes)
        self.points.reach(FOLLOWED_UP, envelopes[0].request_id)


class Inbox(Wrapper):
    async def finish(self, turn: Any, *, take_next: bool) -> Any:
        following = await self.inner.finish(turn, take_next=take_next)
        self.points.reach(ACKNOWLEDGED, turn.entry.request_id)
        return following


def _add_chaos(connect: Any, points: Points) -> Any:
    def chaotic(*settings: Any, **options: Any) -> Any:
        ports = connect(*settings, **options)
        flows = replace(
            ports.flows,
            scripts=Scripts(ports.flows.scripts, points),
            queue=Queue(ports.flows.queue, points),
            inbox=Inbox(ports.flows.inbox, points),
        )
        return replace(ports, flows=flows)

    return chaotic


if __name__ == "__main__":
    composition.connect = _add_chaos(composition.connect, Points.of("worker"))
    sys.exit(main())
