"""The entry point of the Stripe caller's Lambda."""

from paydispatch.compose.cold_start import without_collections

with without_collections():
    from paydispatch.compose.async_lambda import lambda_log
    from paydispatch.compose.stripe_caller import compose, connect
    from paydispatch.settings import CallerSettings

    _settings, _log = CallerSettings.from_env(), lambda_log("stripe_caller")
    handler = compose(_settings, connect(_settings, _log), _log)
