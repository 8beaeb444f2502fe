"""The entry point of the API's Lambda."""

from paydispatch.compose.api import compose, connect
from paydispatch.settings import ApiSettings

_settings = ApiSettings.from_env()
handler = compose(_settings, connect(_settings)).answer
