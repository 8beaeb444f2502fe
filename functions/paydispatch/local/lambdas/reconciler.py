"""The reconciler's Lambda on the local stack. An installed package has no `functions/reconciler/app.py`."""

from paydispatch.compose.async_lambda import lambda_log
from paydispatch.compose.reconciler import compose
from paydispatch.settings import ReconcilerSettings

_settings, _log = ReconcilerSettings.from_env(), lambda_log("reconciler")
handler = compose(_settings, _log)
