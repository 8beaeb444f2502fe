"""The context object that Lambda passes to a handler."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass, field

from paydispatch.local.settings import REGION

_ACCOUNT = "000000000000"


@dataclass(slots=True)
class LambdaContext:
    """The context of one invocation. Its remaining time counts down from `timeout_s` since its creation."""

    function_name: str
    timeout_s: float
    memory_limit_in_mb: str = "512"
    function_version: str = "$LATEST"
    aws_request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    _started: float = field(default_factory=time.monotonic)

    @property
    def invoked_function_arn(self) -> str:
        return f"arn:aws:lambda:{REGION}:{_ACCOUNT}:function:{self.function_name}"

    @property
    def log_group_name(self) -> str:
        return f"/aws/lambda/{self.function_name}"

    @property
    def log_stream_name(self) -> str:
        return "local"

    def get_remaining_time_in_millis(self) -> int:
        left_s = self._started + self.timeout_s - time.monotonic()
        return max(0, int(left_s * 1000))
