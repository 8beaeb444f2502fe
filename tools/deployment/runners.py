"""Runs deployed functions: each from its deployed zip, under AWS's runtime interface emulator.

    with FunctionRunners(runtime, endpoint) as runners:
        ...  # MiniStack posts an event to `{runners.url}/{name}`, and gets the answer of the function

A function starts at its first invocation, with the variables that the stack gave it, and handles one event at a time.
"""

from __future__ import annotations

import io
import json
import tempfile
import threading
import urllib.request
import zipfile
from collections import defaultdict
from contextlib import ExitStack, closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import boto3
from emulator import BuiltFunction, EmulatedFunction

from paydispatch.local.settings import local_aws

if TYPE_CHECKING:
    from collections.abc import Mapping

    from emulator import Answer, Runtime

OK, FAILED = 200, 500


class FunctionRunners:
    """The running functions of one emulated account, behind one HTTP server on loopback."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._endpoint = ""
        self._running: dict[str, EmulatedFunction] = {}
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._cleanup = ExitStack()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_for(self))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._directory = Path(self._cleanup.enter_context(tempfile.TemporaryDirectory()))
        thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        thread.start()
        self._cleanup.callback(thread.join)
        self._cleanup.callback(self._server.server_close)
        self._cleanup.callback(self._server.shutdown)
        return self

    def __exit__(self, *_: object) -> None:
        self._cleanup.close()

    def fetch_from(self, endpoint: str) -> None:
        """Name the endpoint of the emulated AWS, which has the zips."""
        self._endpoint = endpoint

    def invoke(self, name: str, event: Mapping[str, Any]) -> Answer:
        """Run one event. Starts the function if it does not run yet."""
        with self._locks[name]:
            if name not in self._running:
                self._running[name] = self._cleanup.enter_context(self._start(name))
            return self._running[name].invoke(event)

    def logs(self, part_of_name: str) -> list[str]:
        """Return the output of the functions with these letters in their names."""
        running = [each for name, each in self._running.items() if part_of_name in name]
        return [line for each in running for line in each.logs]

    def _start(self, name: str) -> EmulatedFunction:
        with closing(self._client()) as client:
            deployed = client.get_function(FunctionName=name)
        config = deployed["Configuration"]
        directory = self._directory / name
        _unzip(deployed["Code"]["Location"], directory)
        function = BuiltFunction(
            name, config["Handler"], config["Timeout"], config["MemorySize"], directory
        )
        return EmulatedFunction(function, self._runtime, self._variables(config, directory))

    def _variables(self, config: Mapping[str, Any], directory: Path) -> dict[str, str]:
        own: dict[str, str] = config["Environment"]["Variables"]
        here = {name: value.replace("/var/task", str(directory)) for name, value in own.items()}
        return here | local_aws(self._endpoint)

    def _client(self) -> Any:
        aws = local_aws(self._endpoint)
        return boto3.client(
            "lambda",
            endpoint_url=self._endpoint,
            region_name=aws["AWS_REGION"],
            aws_access_key_id=aws["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=aws["AWS_SECRET_ACCESS_KEY"],
        )


def _unzip(url: str, directory: Path) -> None:
    no_proxy = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with (
        no_proxy.open(url, timeout=60) as answer,
        zipfile.ZipFile(io.BytesIO(answer.read())) as code,
    ):
        code.extractall(directory)


def _handler_for(runners: FunctionRunners) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            event = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            answer = runners.invoke(self.path.strip("/"), event)
            body = json.dumps(answer.body).encode()
            self.send_response(FAILED if answer.failed else OK)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Print no line for each request, because MiniStack counts them."""

    return Handler
