"""The log of a flow: the standard library's, with the ids of the run on every line."""

from __future__ import annotations

import logging
from collections.abc import Mapping, MutableMapping
from typing import Any

_LINE_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {
    *("asctime", "level", "location", "message", "sampling_rate", "service", "timestamp"),
    *("exception", "exception_name", "exception_notes", "stack_trace", "xray_trace_id"),
}
"""The names that `logging` and the worker's own lines use."""


class FlowLog(logging.LoggerAdapter[logging.Logger]):
    """A logger that writes the ids of the run, and the flow's `extra` fields beside them.

    If a name in `extra` is already used, it gets `extra_` in front: `extra_request_id`.
    """

    def __init__(self, ids: Mapping[str, str]) -> None:
        super().__init__(logging.getLogger("paydispatch.flows"), ids)

    def process(
        self, msg: Any, kwargs: MutableMapping[str, Any]
    ) -> tuple[Any, MutableMapping[str, Any]]:
        """Add the ids to one line, as `logging.LoggerAdapter` asks."""
        extra = kwargs.get("extra")
        given = extra if isinstance(extra, Mapping) else {}
        return msg, {**kwargs, "extra": {**self._rename_used(given), **(self.extra or {})}}

    def isEnabledFor(self, level: int) -> bool:  # noqa: N802 - the name is `logging`'s
        # A flow that configures `logging` disables every logger that it does not name.
        self.logger.disabled = False
        return super().isEnabledFor(level)

    def _rename_used(self, given: Mapping[Any, Any]) -> dict[str, Any]:
        used = _LINE_FIELDS | (self.extra or {}).keys()
        names = ((str(name), value) for name, value in given.items())
        return {f"extra_{n}" if n in used else n: value for n, value in names}
