"""The real `paydispatch worker`, its ports wrapped in ones that can kill it.

python -m tests.chaos.chaos_worker worker --all --flows DIR
"""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

from tests.chaos.points import ACKNOWLEDGED, FOLLOWED_UP, RETURNED, Points
from tests.chaos.wrapping import Wrapper

from flow_runner import compose as composition
from paydispatch.cli.main import main


class Scripts(Wrapper):
    async def run(self, name: str, argument: Any, flow: Any) -> None:
        await self.inner.run(name, argument, flow)
        self.points.pass_by(RETURNED, flow.request_id)


class Queue(Wrapper):
    async def send(self, envelopes: Any) -> None:
        await self.inner.send(envelopes)
        self.points.pass_by(FOLLOWED_UP, envelopes[0].request_id)


class Inbox(Wrapper):
    async def finish(self, turn: Any, *, go_on: bool) -> Any:
        following = await self.inner.finish(turn, go_on=go_on)
        self.points.pass_by(ACKNOWLEDGED, turn.entry.request_id)
        return following


def _chaotic(compose: Any, points: Points) -> Any:
    def chaotic(*settings: Any, **options: Any) -> Any:
        server = compose(*settings, **options)
        ports = server._runner._ports
        server._runner._ports = replace(
            ports,
            scripts=Scripts(ports.scripts, points),
            queue=Queue(ports.queue, points),
            inbox=Inbox(ports.inbox, points),
        )
        return server

    return chaotic


if __name__ == "__main__":
    composition.compose = _chaotic(composition.compose, Points.of("worker"))
    sys.exit(main())
