"""The entry point of the flow runner's Lambda. `paydispatch worker` runs the same server as a process."""

from paydispatch.compose.cold_start import without_collections

with without_collections():
    import os
    from functools import partial

    from paydispatch.compose.async_lambda import lambda_log, on_one_loop
    from paydispatch.compose.flow_runner import compose, connect, queue_on_demand
    from paydispatch.handlers.flow_runner import answer_doorbells
    from paydispatch.settings import RunnerSettings

    _settings, _log = RunnerSettings.from_env(), lambda_log("flow_runner")
    _consumer, _queue = f"lambda-{os.urandom(6).hex()}", queue_on_demand(_settings)
    _server = compose(_settings, connect(_settings, _log, consumer=_consumer, queue=_queue))
    handler = on_one_loop(partial(answer_doorbells, server=_server, log=_log), _log)
