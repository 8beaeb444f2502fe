"""The one place where boto3's errors become ours, and where its clients get their limits."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from paydispatch.domain.errors import NotPermitted, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

CLIENT_CONFIG = Config(
    connect_timeout=2,
    read_timeout=5,
    retries={"mode": "standard", "total_max_attempts": 3},
    max_pool_connections=50,
)
"""Short, because a caller waits: what stays away longer is `Unavailable`, and tried again from the queue."""

_DENIED_CODES = {"AccessDenied", "AccessDeniedException"}


@contextmanager
def unavailable_for_aws_errors() -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        problem = error.response.get("Error", {})
        denied = problem.get("Code") in _DENIED_CODES
        raise (NotPermitted if denied else Unavailable)(
            f"{error.operation_name}: {problem.get('Code')}: {problem.get('Message')}"
        ) from error
    except BotoCoreError as error:
        raise Unavailable(f"AWS: {type(error).__name__}: {error}") from error
