"""Which exceptions are told in one line: those that a user can mend, or a service that is away.

Loads no library to know its errors: one that is not loaded raised none.
"""

from __future__ import annotations

import sys

from paydispatch.domain.errors import PaydispatchError

OWN_PACKAGES = frozenset({"paydispatch", "api", "stripe_caller", "reconciler", "flow_runner"})

LIBRARIES = (
    ("AWS", "botocore.exceptions", ("BotoCoreError", "ClientError")),
    ("AWS", "boto3.exceptions", ("Boto3Error",)),
    ("Redis", "redis.exceptions", ("RedisError", "RedisClusterException")),
)
"""Who is named, the module of its errors, and their roots."""

HINTS = {"NoRegionError": " Set AWS_REGION."}


def one_line(error: Exception) -> str | None:
    """None for what nobody raises on purpose: that needs its traceback."""
    if isinstance(error, PaydispatchError):
        return str(error)
    if isinstance(error, ModuleNotFoundError):
        return _missing_library(error)
    return _of_a_library(error) or _of_the_system(error)


def _missing_library(error: ModuleNotFoundError) -> str | None:
    library = (error.name or "").partition(".")[0]
    if not library or library in OWN_PACKAGES:
        return None
    return f"{library} is missing: this command needs pip install 'paydispatch[local]'"


def _of_a_library(error: Exception) -> str | None:
    for who, module, names in LIBRARIES:
        loaded = sys.modules.get(module)
        if loaded and isinstance(error, tuple(getattr(loaded, name) for name in names)):
            return f"{who}: {error}{HINTS.get(type(error).__name__, '')}"
    if isinstance(error, ValueError) and str(error).startswith("Invalid endpoint"):
        return f"AWS: {error}"  # botocore has no class of its own for a bad AWS_ENDPOINT_URL
    return None


def _of_the_system(error: Exception) -> str | None:
    """A file that cannot be written, a connection that broke."""
    if not isinstance(error, OSError):
        return None
    if error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return str(error) or type(error).__name__
