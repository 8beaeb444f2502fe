"""MiniStack's application, taking messages as large as SQS does today.

MiniStack 1.4 refuses a queue for more than 256 KiB; SQS has allowed 1 MiB since 2025. MiniStack 1.5
allows it as well, but pins an old botocore.
"""

from ministack.app import app  # type: ignore[import-untyped]
from ministack.services import sqs  # type: ignore[import-untyped]

MAX_MESSAGE_BYTES = 1_048_576

sqs._NUMERIC_ATTR_RANGES["MaximumMessageSize"] = (1024, MAX_MESSAGE_BYTES)  # noqa: SLF001 - no option for it

__all__ = ["app"]
