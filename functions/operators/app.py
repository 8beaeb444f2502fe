"""The entry point of the Lambda that runs an operator's commands. `paydispatch COMMAND --stack NAME` invokes it."""

from paydispatch.compose.cold_start import without_collections

with without_collections():
    from paydispatch.compose.async_lambda import lambda_log
    from paydispatch.compose.operators.function import compose
    from paydispatch.settings import OperatorSettings

    _settings, _log = OperatorSettings.from_env(), lambda_log("operator")
    handler = compose(_settings, _log)
