"""The real gateway with wrapped ports that can kill it while it seals and before it answers."""

from __future__ import annotations

import os
import random
from dataclasses import replace
from typing import Any

from tests.chaos.chaos_names import LOST_SHARE, SEED, SUBJECT, TENANT_HEADER
from tests.chaos.points import CLAIMED_BY_API, QUEUED, SEALING, Points
from tests.chaos.wrapping import Wrapper

from paydispatch.compose.api import ApiPorts, compose, connect
from paydispatch.domain.errors import MaybeAccepted
from paydispatch.settings import ApiSettings


class Sealer(Wrapper):
    def seal(self, credential: Any, binding: Any) -> str:
        sealed: str = self.inner.seal(credential, binding)
        self.points.reach(SEALING, binding.context_id)
        return sealed


class RequestStore(Wrapper):
    def claim(self, claims: Any) -> Any:
        states = self.inner.claim(claims)
        self.points.reach(CLAIMED_BY_API, claims[0].request_id)
        return states


class Queue(Wrapper):
    """A queue that loses a share of SQS' answers. The messages are on the queue, but the API cannot know it."""

    def __init__(self, inner: Any, points: Points, share: float, seed: str) -> None:
        super().__init__(inner, points)
        self._share = share
        self._dice = random.Random(seed)

    def send(self, envelopes: Any) -> Any:
        refused = self.inner.send(envelopes)
        self.points.reach(QUEUED, envelopes[0].request_id)
        if self._dice.random() < self._share:
            lost = MaybeAccepted("The answer of SQS was lost.")
            return {envelope.request_id: lost for envelope in envelopes} | dict(refused)
        return refused


def _add_chaos(ports: ApiPorts, points: Points) -> ApiPorts:
    share, seed = float(os.environ[LOST_SHARE]), f"{os.environ[SEED]} {os.getpid()}"
    return replace(
        ports,
        sealer=Sealer(ports.sealer, points),
        requests=RequestStore(ports.requests, points),
        queue=Queue(ports.queue, points, share, seed),
    )


_settings = ApiSettings.from_env()
_api = compose(_settings, _add_chaos(connect(_settings), Points.of("gateway")))


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    tenant = event["headers"].pop(TENANT_HEADER, None)
    if tenant is not None:  # as API Gateway's authorizer would have set it
        claims = {"tenant": tenant, "sub": SUBJECT}
        event["requestContext"]["authorizer"] = {"jwt": {"claims": claims}}
    return _api.answer(event, context)
