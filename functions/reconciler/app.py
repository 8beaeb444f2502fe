"""The entry point of the reconciler's Lambda. `paydispatch reconcile` runs the same service once."""

from paydispatch.compose.cold_start import without_collections

with without_collections():
    from paydispatch.compose.async_lambda import lambda_log
    from paydispatch.compose.reconciler import compose
    from paydispatch.settings import ReconcilerSettings

    _settings, _log = ReconcilerSettings.from_env(), lambda_log("reconciler")
    handler = compose(_settings, _log)
