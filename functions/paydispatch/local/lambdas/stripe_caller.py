"""The Stripe caller's Lambda on the local stack. An installed package has no `functions/stripe_caller/app.py`."""

from paydispatch.compose.async_lambda import lambda_log
from paydispatch.compose.stripe_caller import compose, connect
from paydispatch.settings import CallerSettings

_settings, _log = CallerSettings.from_env(), lambda_log("stripe_caller")
handler = compose(_settings, connect(_settings, _log), _log)
