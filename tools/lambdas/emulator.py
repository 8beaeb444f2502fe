"""Runs a built Lambda on this machine under AWS's own runtime emulator and runtime client, without Docker.

The function can import only the content of its zip and the libraries of the Lambda runtime. Python runs without its
site-packages, so that a library that the zip lacks is missing here too.
"""

from __future__ import annotations

import json
import platform
import re
import shutil
import socket
import tempfile
import time
import urllib.request
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from paydispatch.local.processes import Child, Program, Supervisor

if TYPE_CHECKING:
    from collections.abc import Mapping

_INVOKE_PATH = "/2015-03-31/functions/function/invocations"
_READY_WITHIN_S = 10.0
_LOOK_EVERY_S = 0.02
# Time for the init phase, added to the function's own timeout, which the emulator enforces.
_GRACE_S = 20.0
_MACHINES = {"x86_64": "x86_64", "amd64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}
# The emulator needs the task root as its working directory, as on Lambda.
_IN_DIRECTORY = ("/bin/sh", "-c", 'cd "$0" && exec "$@"')


@dataclass(frozen=True, slots=True)
class BuiltFunction:
    """A function built by `build_function.py`, with its properties from template.yaml."""

    name: str
    handler: str
    timeout_s: int
    memory_mb: int
    directory: Path


@dataclass(frozen=True, slots=True)
class Runtime:
    """The emulator, the Python and the libraries that stand in for the Lambda runtime."""

    emulator: Path
    """The folder with the `aws-lambda-rie-*` binaries."""
    python: str
    libraries: Path
    """The folder with awslambdaric and boto3."""

    @property
    def binary(self) -> Path:
        return self.emulator / f"aws-lambda-rie-{_MACHINES[platform.machine().lower()]}"


@dataclass(frozen=True, slots=True)
class Answer:
    """The result of one invocation."""

    body: Any
    duration_ms: float

    @property
    def failed(self) -> bool:
        """Whether the handler raised, timed out or could not be imported."""
        return isinstance(self.body, dict) and "errorMessage" in self.body


@dataclass(slots=True)
class EmulatedFunction:
    """One execution environment: `with EmulatedFunction(…) as function: function.invoke(event)`."""

    function: BuiltFunction
    runtime: Runtime
    environment: Mapping[str, str]
    _cleanup: ExitStack = field(default_factory=ExitStack, repr=False)
    _child: Child | None = None
    _address: str = ""

    def __enter__(self) -> Self:
        directory = Path(self._cleanup.enter_context(tempfile.TemporaryDirectory()))
        supervisor = Supervisor(directory, tell=print)
        self._cleanup.callback(supervisor.close)
        gateway, runtime_api = _free_address(), _free_address()
        self._address = gateway
        try:
            self._child = supervisor.start(self._program(gateway, runtime_api))
            _await_listening(self._child, gateway)
        except BaseException:
            self._cleanup.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._cleanup.close()

    def invoke(self, event: Mapping[str, Any]) -> Answer:
        """Send one event and wait for the answer. Raises `URLError` if the emulator has ended."""
        request = urllib.request.Request(
            f"http://{self._address}{_INVOKE_PATH}", data=json.dumps(event).encode()
        )
        no_proxy = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        started = time.perf_counter()
        with no_proxy.open(request, timeout=self.function.timeout_s + _GRACE_S) as response:
            text = response.read().decode()
        return Answer(_parse(text), (time.perf_counter() - started) * 1000)

    @property
    def url(self) -> str:
        """The endpoint for a client of Lambda. The function's name there is `function`."""
        return f"http://{self._address}"

    @property
    def pid(self) -> int:
        """The process of the emulator, which starts that of the function."""
        if self._child is None:
            raise RuntimeError("The function is not running.")
        return self._child.pid

    @property
    def logs(self) -> list[str]:
        """The output of the function, without the lines of the emulator."""
        return [line for line in self._output.splitlines() if not _EMULATORS_OWN.search(line)]

    @property
    def init_ms(self) -> float | None:
        """The duration of imports and module level code. None before the first invocation, which causes them."""
        found = re.search(r"INIT REPORT\(durationMs: ([\d.]+)\)", self._output)
        return float(found[1]) if found else None

    @property
    def _output(self) -> str:
        return self._child.output() if self._child else ""

    def _program(self, gateway: str, runtime_api: str) -> Program:
        emulator = str(self.runtime.binary.resolve())
        ports = (
            "--runtime-interface-emulator-address",
            gateway,
            "--runtime-api-address",
            runtime_api,
        )
        client = (self.runtime.python, "-S", "-m", "awslambdaric", self.function.handler)
        start = (*_IN_DIRECTORY, str(self.function.directory), emulator, *ports)
        return Program("emulator", (*start, *_dies_with_its_parent(), *client), self._variables())

    def _variables(self) -> dict[str, str]:
        """Return Lambda's own variables, overridden by those of the function."""
        function = self.function
        return {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "LANG": "en_US.UTF-8",
            "TZ": ":UTC",
            "PYTHONPATH": f"{function.directory}:{self.runtime.libraries}",
            "PYTHONUNBUFFERED": "1",
            "PYTHONDONTWRITEBYTECODE": "1",  # because /var/task is read-only on Lambda
            "LAMBDA_TASK_ROOT": str(function.directory),
            "AWS_LAMBDA_FUNCTION_NAME": function.name,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_TIMEOUT": str(function.timeout_s),
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_mb),
        } | dict(self.environment)


def _dies_with_its_parent() -> tuple[str, ...]:
    """Return a command prefix that kills the function when its parent ends.

    The emulator starts the function in a process group of its own, which the reaper does not know.
    """
    setpriv = shutil.which("setpriv")
    return (setpriv, "--pdeathsig", "KILL") if setpriv else ()


_EMULATORS_OWN = re.compile(r"\(rapid\)|^(START|END|REPORT) RequestId: ")


def _parse(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _free_address() -> str:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return f"127.0.0.1:{free.getsockname()[1]}"


def _await_listening(child: Child, address: str) -> None:
    host, port = address.split(":")
    deadline = time.monotonic() + _READY_WITHIN_S
    while time.monotonic() < deadline:
        child.check_alive()
        try:
            socket.create_connection((host, int(port)), timeout=1).close()
        except ConnectionRefusedError:
            time.sleep(_LOOK_EVERY_S)
        else:
            return
    raise child.failure(f"did not listen within {_READY_WITHIN_S:g} s")
