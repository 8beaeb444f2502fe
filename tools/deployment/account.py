"""Stands in for an AWS account: MiniStack with CloudFormation, Valkey for Redis, and the twin for Stripe."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Self

from aws_app import RUNNERS_URL
from runners import FunctionRunners

from paydispatch.local import programs
from paydispatch.local.parts import TwinPart
from paydispatch.local.processes import Program, Supervisor
from paydispatch.local.settings import LocalSettings, environment_without_aws, local_aws
from paydispatch.local.stores.ministack import MiniStack
from paydispatch.local.stores.valkey import Valkey

if TYPE_CHECKING:
    from emulator import Runtime

    from paydispatch.local.parts import Part

HERE = Path(__file__).parent
SERVICES = (
    *("apigateway", "cloudformation", "cloudwatch", "events", "iam", "kms", "lambda", "logs"),
    *("s3", "secretsmanager", "sqs", "sts"),
)
START_WITHIN_S = 60.0


class Cloud(MiniStack):
    """MiniStack with the services that a deployment of template.yaml needs."""

    def __init__(self, supervisor: Supervisor, directory: Path, runners_url: str) -> None:
        super().__init__(supervisor, directory)
        self._more = {
            "SERVICES": ",".join(SERVICES),
            "PERSIST_STATE": "0",
            "PYTHONPATH": str(HERE),
            RUNNERS_URL: runners_url,
        }

    def _program(self, listener_fd: int) -> Program:
        plain = super()._program(listener_fd)
        return replace(
            plain,
            command=(*plain.command[:-1], "aws_app:app"),
            environment={**plain.environment, **self._more},
        )


@dataclass
class EmulatedAccount:
    """One account for a `with` block. It ends every process it started."""

    runtime: Runtime

    def __enter__(self) -> Self:
        self._cleanup = ExitStack()
        try:
            self._start(Path(self._cleanup.enter_context(tempfile.TemporaryDirectory())))
        except BaseException:
            self._cleanup.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._cleanup.close()

    @property
    def parameters(self) -> dict[str, str]:
        """The parameters of a stack that finds Redis and Stripe here, without what MiniStack does not have."""
        return {
            "Network": "existing",
            "Redis": "url",
            "RedisUrl": self._redis.url,
            "StripeApiBase": self._stripe.url,
            "Alarms": "off",
        }

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a program whose AWS is this account."""
        return environment_without_aws() | local_aws(self.endpoint)

    @property
    def endpoint(self) -> str:
        return self._aws.url

    def _start(self, directory: Path) -> None:
        supervisor = Supervisor(directory, tell=print)
        self._cleanup.callback(supervisor.close)
        self.functions = self._cleanup.enter_context(FunctionRunners(self.runtime))
        self._aws = Cloud(supervisor, directory, self.functions.url)
        self._redis = Valkey(supervisor, directory, durable=False)
        self._stripe = TwinPart(supervisor, partial(programs.twin, LocalSettings(), None))
        parts: tuple[Part, ...] = (self._aws, self._redis, self._stripe)
        for part in parts:
            part.launch()
        for part in parts:
            part.await_ready(START_WITHIN_S)
        self.functions.fetch_from(self.endpoint)
