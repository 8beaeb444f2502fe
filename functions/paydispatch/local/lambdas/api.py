"""The API's Lambda on the local stack, because an installed package has no `functions/api/app.py`."""

from paydispatch.compose.api import compose, connect
from paydispatch.settings import ApiSettings

_settings = ApiSettings.from_env()
handler = compose(_settings, connect(_settings)).answer
