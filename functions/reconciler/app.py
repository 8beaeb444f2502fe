"""The entry point of the reconciler's Lambda. `paydispatch reconcile` runs the same service once."""

from functools import partial

from paydispatch.compose.async_lambda import lambda_journal, on_one_loop
from paydispatch.compose.reconciler import Clients, connect
from paydispatch.handlers.reconciler import settle_unknowns
from paydispatch.services.reconcile import Reconciler
from paydispatch.settings import ReconcilerSettings

_settings, _journal = ReconcilerSettings.from_env(), lambda_journal("reconciler")
_service = Reconciler(connect(_settings, _journal, Clients.connect(_settings, _journal)))
handler = on_one_loop(partial(settle_unknowns, service=_service, journal=_journal), _journal)
