"""Builds template.yaml with `make build` and deploys it with `sam deploy` to an emulated account, as to a real one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
from build_function import ROOT

from paydispatch.local.settings import REGION, environment_without_aws, local_aws

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from account import EmulatedAccount

STACK = "paydispatch"
TEMPLATE = ROOT / "build" / "host-stack" / "template.yaml"
_LOOK_EVERY_S = 0.5
_COUNTS = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
_WORK = ("REQUEST_QUEUE_URL", "BATCH_QUEUE_URL", "EXHAUSTED_QUEUE_URL", "DOORBELL_QUEUE_URL")


class DeploymentFailed(Exception):
    """A command of the deployment failed. It has printed why."""


def build(uv: str, flows: Path | None = None, requirements: Path | None = None) -> None:
    """Build the zips for this machine. Raises `DeploymentFailed`."""
    given = {"FLOWS": flows, "REQUIREMENTS": requirements}
    project = [f"{name}={path.resolve()}" for name, path in given.items() if path]
    _run("make", "--silent", "build", "BUILD_FOR=host", f"UV={uv}", *project)


@dataclass(frozen=True, slots=True)
class Deployment:
    """A stack that is deployed to an emulated account."""

    account: EmulatedAccount
    variables: Mapping[str, str]
    """Those that lead to the account, and those that `paydispatch env` prints."""

    @property
    def environment(self) -> dict[str, str]:
        """The whole environment of a program that uses the stack."""
        return {**environment_without_aws(), **self.variables}

    def client(self, service: str) -> Any:
        """Return a client of the emulated AWS."""
        return boto3.client(
            service,  # type: ignore[call-overload]
            endpoint_url=self.account.endpoint,
            region_name=REGION,
            aws_access_key_id=self.variables["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.variables["AWS_SECRET_ACCESS_KEY"],
        )

    def run(self, command: Sequence[str]) -> int:
        """Run a program that uses the stack, and return its exit code."""
        return subprocess.run(command, env=self.environment, check=False).returncode

    def wait_until_idle(self, within_s: float) -> None:
        """Wait until no request and no ring is on its way. Raises `TimeoutError` with the numbers of messages."""
        deadline = time.monotonic() + within_s
        while any((counts := self._counts()).values()):
            if time.monotonic() > deadline:
                raise TimeoutError(f"messages after {within_s:g} s: {counts}")
            time.sleep(_LOOK_EVERY_S)

    def _counts(self) -> dict[str, int]:
        sqs = self.client("sqs")
        answers = {
            name: sqs.get_queue_attributes(
                QueueUrl=self.variables[name], AttributeNames=[*_COUNTS]
            )["Attributes"]
            for name in _WORK
        }
        return {name: sum(int(each[count]) for count in _COUNTS) for name, each in answers.items()}


def deploy(account: EmulatedAccount, sam: Sequence[str]) -> Deployment:
    """Deploy what `build` built. Raises `DeploymentFailed`."""
    chosen = [f"{name}={value}" for name, value in account.parameters.items()]
    _run(
        *sam, "deploy", "--template-file", str(TEMPLATE), "--stack-name", STACK, "--region", REGION,
        "--resolve-s3", "--capabilities", "CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND",
        "--no-confirm-changeset", "--no-progressbar", "--parameter-overrides", *chosen,
        environment=account.environment,
    )  # fmt: skip
    return Deployment(account, local_aws(account.endpoint) | _variables(account))


def _variables(account: EmulatedAccount) -> dict[str, str]:
    """Return what `paydispatch env` prints for the stack."""
    command = (sys.executable, "-m", "paydispatch", "env", "--stack", STACK, "--json")
    done = subprocess.run(
        command, env=account.environment, check=False, text=True, stdout=subprocess.PIPE
    )
    if done.returncode:
        raise DeploymentFailed("paydispatch env")
    return dict(json.loads(done.stdout))


def _run(*command: str, environment: Mapping[str, str] | None = None) -> None:
    """Run a command. Its output goes to stderr, so that only the flows print on stdout."""
    done = subprocess.run(
        command, cwd=ROOT, env=environment or os.environ, check=False, stdout=sys.stderr
    )
    if done.returncode:
        raise DeploymentFailed(" ".join(command))
