"""The entry point of the flow runner's Lambda. `paydispatch worker` runs the same server as a process."""

import os
from functools import partial

from paydispatch.compose.async_lambda import lambda_log, on_one_loop
from paydispatch.compose.flow_runner import compose, connect
from paydispatch.handlers.flow_runner import answer_doorbells
from paydispatch.settings import RunnerSettings

_settings, _log = RunnerSettings.from_env(), lambda_log("flow_runner")
_server = compose(_settings, connect(_settings, _log, consumer=f"lambda-{os.urandom(6).hex()}"))
handler = on_one_loop(partial(answer_doorbells, server=_server, log=_log), _log)
