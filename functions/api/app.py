"""The entry point of the API's Lambda."""

from paydispatch.compose.cold_start import without_collections

with without_collections():
    from paydispatch.compose.api import compose, connect
    from paydispatch.settings import ApiSettings

    _settings = ApiSettings.from_env()
    handler = compose(_settings, connect(_settings)).answer
