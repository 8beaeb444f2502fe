"""Build functions for this machine, run each on an event as Lambda would, print what came back.

All of them run, each on an event of its own, or the one named, on `--event`. Behind them is the local
stack, or the services that `--env-file` names.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
import uuid
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backing import env_file, local_stack
from build_function import ROOT, build, host_target, install_runtime, runtime_version
from emulator import BuiltFunction, EmulatedFunction, Runtime
from pythons import find_python
from stack_template import StackTemplate, load

from paydispatch.local.processes import PartFailed

if TYPE_CHECKING:
    from collections.abc import Mapping

BUILD_DIRECTORY = ROOT / "build" / "host"
DEFAULT_EVENTS = {
    "ApiFunction": "api_create_payment_intent.json",
    "StripeCallerFunction": "sqs_create.json",
    "ReconcileFunction": "schedule_reconcile.json",
    "FlowRunnerFunction": "doorbell.json",
}


def prepare_runtime(emulator: Path, uv: str) -> Runtime:
    """The runtime's Python if this machine has one, else this Python, said so."""
    version = runtime_version()
    python = find_python(version, uv)
    if python is None:
        python = sys.executable
        print(f"no Python {version} here: running on {sys.version.split()[0]}", file=sys.stderr)
    libraries = BUILD_DIRECTORY / "runtime"
    install_runtime(libraries, host_target(python, libraries), uv)
    return Runtime(emulator, python, libraries)


def build_for_host(
    name: str, template: StackTemplate, python: str, uv: str, *, bytecode: bool = True
) -> BuiltFunction:
    """Build the function as for a zip, with this machine's wheels."""
    properties = template.functions[name]
    handler = properties["Handler"]
    out = BUILD_DIRECTORY / name
    build(handler.partition(".")[0], out, host_target(python, out, bytecode=bytecode), uv)
    return BuiltFunction(name, handler, properties["Timeout"], properties["MemorySize"], out)


def variables_of(
    function: BuiltFunction, template: StackTemplate, services: Mapping[str, str]
) -> dict[str, str]:
    """What the template sets, where it stands without the cloud, below what the services say."""
    wanted = template.environment(function.name)
    literal = {name: template.default_of(value) for name, value in wanted.items()}
    here = str(function.directory)
    known = {
        name: str(value).replace("/var/task", here)
        for name, value in literal.items()
        if value is not None
    }
    return known | dict(services)


def as_if_sent_now(event: dict[str, Any]) -> dict[str, Any]:
    """Queue messages with a time and an id of their own: an old one would be past its deadline."""
    now_ms = str(int(time.time() * 1000))
    for record in event.get("Records", []):
        record["messageId"] = str(uuid.uuid4())
        record["attributes"]["SentTimestamp"] = now_ms
    return event


def show(function: EmulatedFunction, event: Path) -> bool:
    """Run one event and print what came of it. False if the function failed."""
    answer = function.invoke(as_if_sent_now(json.loads(event.read_text())))
    print(f"\n{function.function.name} on {event.name}")
    for line in function.logs:
        print(f"  log     {line}")
    print(f"  init    {function.init_ms or 0:.0f} ms")
    print(f"  run     {answer.duration_ms - (function.init_ms or 0):.0f} ms")
    print(f"  answer  {json.dumps(answer.body)}")
    return not answer.failed


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    options = _options()
    template = load()
    runtime = prepare_runtime(options.emulator, options.uv)
    names = [options.function] if options.function else list(DEFAULT_EVENTS)
    built = [
        build_for_host(name, template, runtime.python, options.uv, bytecode=options.bytecode)
        for name in names
    ]
    try:
        with _services(options.env_file) as services:
            fine = [_run(function, options, template, runtime, services) for function in built]
    except PartFailed as failure:
        print(f"run-event: {failure}", file=sys.stderr)
        return 1
    return 0 if all(fine) else 1


def _run(
    function: BuiltFunction,
    options: argparse.Namespace,
    template: StackTemplate,
    runtime: Runtime,
    services: Mapping[str, str],
) -> bool:
    event = options.event or ROOT / "tests" / "events" / DEFAULT_EVENTS[function.name]
    environment = variables_of(function, template, services)
    with EmulatedFunction(function, runtime, environment) as running:
        return show(running, event)


def _services(given: Path | None) -> AbstractContextManager[dict[str, str]]:
    return nullcontext(env_file(given)) if given else local_stack()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Run built Lambdas on events, without Docker.")
    parser.add_argument("function", nargs="?", choices=tuple(DEFAULT_EVENTS))
    parser.add_argument("--event", type=Path)
    parser.add_argument(
        "--env-file", type=Path, help="services of yours, instead of the local stack"
    )
    parser.add_argument("--emulator", type=Path, required=True, help="where aws-lambda-rie-* are")
    parser.add_argument("--no-bytecode", dest="bytecode", action="store_false", help="no .pyc")
    parser.add_argument("--uv", default="uv")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
