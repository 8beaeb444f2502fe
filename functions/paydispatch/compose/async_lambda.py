"""Run the asynchronous handler of a Lambda function, and print its metrics."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.metrics import Metrics

from paydispatch.adapters.event_log import PowertoolsEventLog, json_logger

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from aws_lambda_powertools.utilities.typing import LambdaContext

    Event = dict[str, Any]
    Handler = Callable[[Event, LambdaContext], Event]
    AsyncHandler = Callable[[Event, LambdaContext], Coroutine[Any, Any, Event]]


def lambda_log(service: str) -> PowertoolsEventLog:
    """Return an event log that counts in CloudWatch metrics. It must be flushed at the end of each invocation."""
    return PowertoolsEventLog(
        json_logger(service), Metrics(namespace="paydispatch", service=service)
    )


def on_one_loop(answer: AsyncHandler, log: PowertoolsEventLog) -> Handler:
    """Return a handler that runs `answer` on the same event loop at each invocation.

    The connections to Stripe and Redis survive from one invocation to the next, because their loop does.
    """
    loop = asyncio.new_event_loop()

    def handler(event: Event, context: LambdaContext) -> Event:
        try:
            return loop.run_until_complete(answer(event, context))
        finally:
            log.flush()

    return handler
