"""Runs MiniStack, the stand-in for SQS, KMS and Secrets Manager, and creates the resources of the stack in it."""

from __future__ import annotations

import http.client
import json
import sys
import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from paydispatch.local.listening import listen_on_loopback, port_of
from paydispatch.local.processes import Child, Program, Supervisor
from paydispatch.local.settings import REGION, TENANT, LocalSettings, environment_without_aws

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_DEMO_SECRET = (f"paydispatch/{TENANT}/demo", "sk_test_local_demo")

_ACCOUNT = "000000000000"
_MAX_MESSAGE_BYTES = 1_048_576
_REQUESTS_KEPT_S = 864_000
_DEAD_LETTERS_KEPT_S = 1_209_600
"""These are the values of template.yaml. A deadline passes before the first period, and the others are longer."""
_EXHAUSTED_KEPT_S = 907_200
_EXHAUSTED_RECEIVES = 10
_LOOKS_KEPT_S = 86_400
_CALL_TIMEOUT_S = 5.0
_RETRY_EVERY_S = 0.05

# MiniStack chooses the service by the target header and the region by the signature's scope.
_AUTHORIZATION = f"AWS4-HMAC-SHA256 Credential=local/20260101/{REGION}/%s/aws4_request"


@dataclass(frozen=True, slots=True)
class Resources:
    """The resources that the stack created in MiniStack."""

    queue_url: str
    batch_queue_url: str
    dead_letter_queue_url: str
    look_queue_url: str
    exhausted_queue_url: str
    sealing_key_id: str


class MiniStack:
    """One MiniStack server. It keeps its port over every restart, and its data over an orderly one."""

    name = "ministack"

    def __init__(self, supervisor: Supervisor, directory: Path) -> None:
        self._supervisor = supervisor
        self._directory = directory / self.name
        self._directory.mkdir()
        self._port = 0
        self._child: Child

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def launch(self) -> None:
        # The `ministack` command is not used, because it binds its port itself, and another program may take it first.
        with listen_on_loopback(self._port) as listener:
            self._port = port_of(listener)
            self._child = self._supervisor.start(self._program(listener.fileno()))

    def await_ready(self, within_s: float) -> None:
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            self._child.check_alive()
            if _healthy(self._port):
                return
            time.sleep(_RETRY_EVERY_S)
        raise self._child.failure(f"was not ready within {within_s:g} s")

    def create_resources(self, settings: LocalSettings) -> Resources:
        """Create the queues, the sealing key and the secret of the demo. Call it once."""
        return _create_resources(self._port, settings)

    def create_secret(self, name: str, text: str) -> None:
        """Put a secret into Secrets Manager. Its name must be new."""
        _create_secret(self._port, name, text)

    def _program(self, listener_fd: int) -> Program:
        command = (sys.executable, "-m", "hypercorn", "--workers", "0", "--keep-alive", "75")
        application = (
            "--bind",
            f"fd://{listener_fd}",
            "paydispatch.local.stores.ministack_app:app",
        )
        environment = environment_without_aws() | _environment(self._directory, self._port)
        return Program(self.name, command + application, environment, inherited_fds=(listener_fd,))


def _create_resources(port: int, settings: LocalSettings) -> Resources:
    dead_letters = _create_queue(port, "paydispatch-dead-letters", kept_s=_DEAD_LETTERS_KEPT_S)
    exhausted = _create_exhausted_queue(port, settings)
    _create_secret(port, *_DEMO_SECRET)
    return Resources(
        queue_url=_create_request_queue(port, "paydispatch-interactive", settings),
        batch_queue_url=_create_request_queue(port, "paydispatch-batch", settings),
        dead_letter_queue_url=dead_letters,
        look_queue_url=_create_look_queue(port, settings),
        exhausted_queue_url=exhausted,
        sealing_key_id=_create_sealing_key(port),
    )


def _environment(directory: Path, port: int) -> dict[str, str]:
    """Return variables that start only the services in use, and keep their data in `directory`.

    They disable Docker, because MiniStack would stop the containers of other MiniStacks.
    """
    return {
        "GATEWAY_PORT": str(port),
        "MINISTACK_HOST": "127.0.0.1",
        "MINISTACK_REGION": REGION,
        "MINISTACK_ACCOUNT_ID": _ACCOUNT,
        "SERVICES": "sqs,kms,secretsmanager",
        "SFTP_ENABLED": "0",
        "IOT_MTLS_ENABLED": "0",
        "LOG_LEVEL": "WARNING",
        "PERSIST_STATE": "1",
        "STATE_DIR": str(directory / "state"),
        "S3_DATA_DIR": str(directory / "s3"),
        "TMPDIR": str(directory),
        "DOCKER_HOST": f"unix://{directory}/no-docker.sock",
    }


def _healthy(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_CALL_TIMEOUT_S)
    try:
        connection.request("GET", "/_ministack/health")
        return connection.getresponse().status == http.client.OK
    except OSError:
        return False
    finally:
        connection.close()


def _create_request_queue(port: int, name: str, settings: LocalSettings) -> str:
    return _create_queue(
        port,
        name,
        kept_s=_REQUESTS_KEPT_S,
        VisibilityTimeout=str(settings.visibility_timeout_s),
        RedrivePolicy=_redrive("paydispatch-exhausted", settings.max_receives),
    )


def _create_exhausted_queue(port: int, settings: LocalSettings) -> str:
    """Create the queue of messages whose every receive ended with a killed caller. A caller reports their end."""
    return _create_queue(
        port,
        "paydispatch-exhausted",
        kept_s=_EXHAUSTED_KEPT_S,
        VisibilityTimeout=str(settings.visibility_timeout_s),
        RedrivePolicy=_redrive("paydispatch-dead-letters", _EXHAUSTED_RECEIVES),
    )


def _redrive(to: str, receives: int) -> str:
    target = f"arn:aws:sqs:{REGION}:{_ACCOUNT}:{to}"
    return json.dumps({"deadLetterTargetArn": target, "maxReceiveCount": receives})


def _create_look_queue(port: int, settings: LocalSettings) -> str:
    """Create the queue of looks and events. It has no dead-letter queue, because the looks of the sweep follow."""
    hidden_s = settings.look_timeout_s + settings.visibility_timeout_s - settings.function_timeout_s
    return _create_queue(
        port, "paydispatch-looks", kept_s=_LOOKS_KEPT_S, VisibilityTimeout=str(hidden_s)
    )


def _create_queue(port: int, name: str, *, kept_s: int, **attributes: str) -> str:
    fixed = {
        "MaximumMessageSize": str(_MAX_MESSAGE_BYTES),
        "MessageRetentionPeriod": str(kept_s),
    }
    queue = {"QueueName": name, "Attributes": {**fixed, **attributes}}
    return str(_call(port, "sqs", "AmazonSQS.CreateQueue", queue)["QueueUrl"])


def _create_sealing_key(port: int) -> str:
    key = {"Description": "paydispatch: seals Stripe keys on the queue"}
    return str(_call(port, "kms", "TrentService.CreateKey", key)["KeyMetadata"]["KeyId"])


def _create_secret(port: int, name: str, text: str) -> None:
    secret = {"Name": name, "SecretString": text, "ClientRequestToken": str(uuid.uuid4())}
    _call(port, "secretsmanager", "secretsmanager.CreateSecret", secret)


def _call(port: int, service: str, target: str, payload: Mapping[str, Any]) -> dict[str, Any]:
    """Make one AWS JSON call. Raises `RuntimeError` with MiniStack's answer if MiniStack refuses it.

    Does not use boto3, because its import takes 0.3 s and it would read the user's AWS profile.
    """
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_CALL_TIMEOUT_S)
    headers = {
        "Content-Type": "application/x-amz-json-1.0",
        "X-Amz-Target": target,
        "Authorization": _AUTHORIZATION % service,
    }
    try:
        connection.request("POST", "/", json.dumps(payload), headers)
        answer = connection.getresponse()
        body = answer.read().decode()
    finally:
        connection.close()
    if answer.status != http.client.OK:
        raise RuntimeError(f"MiniStack refused {target}: {answer.status} {body}")
    return dict(json.loads(body))
