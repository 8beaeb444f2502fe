"""The entry point of the reconciler's Lambda. `paydispatch reconcile` runs the same service once."""

from functools import partial

from paydispatch.compose.async_lambda import lambda_log, on_one_loop
from paydispatch.compose.reconciler import Clients, connect
from paydispatch.handlers.reconciler import settle_unknowns
from paydispatch.services.reconcile import Reconciler
from paydispatch.settings import ReconcilerSettings

_settings, _log = ReconcilerSettings.from_env(), lambda_log("reconciler")
_service = Reconciler(connect(_settings, _log, Clients.connect(_settings, _log)))
handler = on_one_loop(partial(settle_unknowns, service=_service, log=_log), _log)
