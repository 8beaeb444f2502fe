"""The flow runner's composition root as a Lambda. `paydispatch worker` runs the same server as a process."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.metrics import Metrics

from flow_runner.compose import compose
from paydispatch.adapters.journal import PowertoolsJournal, json_logger
from paydispatch.handlers.flow_runner import answer_bells
from paydispatch.settings import RunnerSettings

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

_journal = PowertoolsJournal(
    json_logger("flow_runner"), Metrics(namespace="paydispatch", service="flow_runner")
)
_server = compose(
    RunnerSettings.from_env(),
    _journal,
    consumer=f"lambda-{os.urandom(6).hex()}",
)
_loop = asyncio.new_event_loop()


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    answer = _loop.run_until_complete(answer_bells(event, context, _server, _journal))
    _journal.flush()
    return answer
