"""The reconciler's composition root as a Lambda. `paydispatch reconcile` runs the same service once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.metrics import Metrics

from paydispatch.adapters.journal import PowertoolsJournal, json_logger
from paydispatch.handlers.reconciler import settle_unknowns
from paydispatch.settings import ReconcilerSettings
from reconciler.compose import Clients, compose

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

_journal = PowertoolsJournal(
    json_logger("reconciler"), Metrics(namespace="paydispatch", service="reconciler")
)
_settings = ReconcilerSettings.from_env()
_service = compose(_settings, _journal, Clients.connect(_settings, _journal))
_loop = asyncio.new_event_loop()


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    try:
        return _loop.run_until_complete(settle_unknowns(event, context, _service, _journal))
    finally:
        _journal.flush()
