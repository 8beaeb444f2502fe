"""Selects the exceptions that are printed as one line: those that a user can fix, and an unavailable service.

Does not import a library only to test for its exceptions: if it was not imported, it did not raise.
"""

from __future__ import annotations

import sys

from paydispatch.cli.extras import WORKER, name_extra
from paydispatch.domain.errors import PaydispatchError

OWN_PACKAGES = frozenset(
    {"paydispatch", "api", "stripe_caller", "reconciler", "flow_runner", "operators"}
)

LIBRARIES = (
    ("AWS", "botocore.exceptions", ("BotoCoreError", "ClientError")),
    ("AWS", "boto3.exceptions", ("Boto3Error",)),
    ("Redis", "redis.exceptions", ("RedisError", "RedisClusterException")),
)
"""The name to print, the module of the exceptions, and their base classes."""

HINTS = {"NoRegionError": " Set AWS_REGION."}


def one_line(error: Exception, extra: str = WORKER) -> str | None:
    """Return the line to print, or None for an unexpected exception, which needs its traceback.

    `extra` is the extra of the package with the libraries of the command.
    """
    if isinstance(error, PaydispatchError):
        return str(error)
    if isinstance(error, ModuleNotFoundError):
        return _explain_missing_library(error, extra)
    return _explain_library_error(error) or _explain_system_error(error)


def _explain_missing_library(error: ModuleNotFoundError, extra: str) -> str | None:
    library = (error.name or "").partition(".")[0]
    if not library or library in OWN_PACKAGES:
        return None
    return name_extra(library, extra)


def _explain_library_error(error: Exception) -> str | None:
    for service, module, names in LIBRARIES:
        loaded = sys.modules.get(module)
        if loaded and isinstance(error, tuple(getattr(loaded, name) for name in names)):
            return f"{service}: {error}{HINTS.get(type(error).__name__, '')}"
    if isinstance(error, ValueError) and str(error).startswith("Invalid endpoint"):
        return f"AWS: {error}"  # botocore raises a plain ValueError for a bad AWS_ENDPOINT_URL
    return None


def _explain_system_error(error: Exception) -> str | None:
    """Return the line for an `OSError`, such as a file that cannot be written or a broken connection."""
    if not isinstance(error, OSError):
        return None
    if error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return str(error) or type(error).__name__
