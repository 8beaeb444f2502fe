"""The real door, its ports wrapped in ones that can kill it while it seals and before it answers."""

from __future__ import annotations

from typing import Any

from tests.chaos.points import QUEUED, SEALING, Points
from tests.chaos.wrapping import Wrapper

from api import app


class Sealer(Wrapper):
    def seal(self, credential: Any, binding: Any) -> str:
        sealed: str = self.inner.seal(credential, binding)
        self.points.pass_by(SEALING, binding.context_id)
        return sealed


class Queue(Wrapper):
    def send(self, envelopes: Any) -> Any:
        refused = self.inner.send(envelopes)
        self.points.pass_by(QUEUED, envelopes[0].request_id)
        return refused


def _chaotic(acceptor: Any, points: Points) -> None:
    acceptor._sealer = Sealer(acceptor._sealer, points)
    acceptor._queue = Queue(acceptor._queue, points)


_chaotic(app._door._acceptor, Points.of("door"))


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return app.handler(event, context)
