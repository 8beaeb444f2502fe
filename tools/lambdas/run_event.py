"""Builds functions for this machine, runs each on an event as Lambda does, and prints the answer.

Without a name, every function runs on its own example event. A named function runs on `--event`. The functions use the
local stack, or the services in `--env-file`.
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
    "OperatorFunction": "operator_doctor.json",
}


def prepare_runtime(emulator: Path, uv: str, directory: Path = BUILD_DIRECTORY) -> Runtime:
    """Install the runtime's libraries into `directory`, and return it with its Python version.

    If that Python is not installed, print so and use this one.
    """
    version = runtime_version()
    python = find_python(version, uv)
    if python is None:
        python = sys.executable
        print(
            f"Python {version} is not installed, so Python {sys.version.split()[0]} is used",
            file=sys.stderr,
        )
    libraries = directory / "runtime"
    install_runtime(libraries, host_target(python, libraries), uv)
    return Runtime(emulator, python, libraries)


def build_for_host(
    name: str,
    template: StackTemplate,
    python: str,
    uv: str,
    *,
    bytecode: bool = True,
    directory: Path = BUILD_DIRECTORY,
) -> BuiltFunction:
    """Build the function as for a zip, but with the wheels of this machine, into a folder of `directory`."""
    properties = template.functions[name]
    handler = properties["Handler"]
    out = directory / name
    build(handler.partition(".")[0], out, host_target(python, out, bytecode=bytecode), uv)
    return BuiltFunction(name, handler, properties["Timeout"], properties["MemorySize"], out)


def variables_of(
    function: BuiltFunction, template: StackTemplate, services: Mapping[str, str]
) -> dict[str, str]:
    """Return the variables with a literal value in the template, overridden by those of the services."""
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
    """Give queue messages the current time and new ids, because an old message would be past its deadline."""
    now_ms = str(int(time.time() * 1000))
    for record in event.get("Records", []):
        record["messageId"] = str(uuid.uuid4())
        record["attributes"]["SentTimestamp"] = now_ms
    return event


def show(function: EmulatedFunction, event: Path) -> bool:
    """Run one event and print its result. Return False if the function failed."""
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
    parser.add_argument(
        "function", nargs="?", choices=tuple(DEFAULT_EVENTS), help="function to run (default: all)"
    )
    parser.add_argument("--event", type=Path, help="event file (default: the example event)")
    parser.add_argument(
        "--env-file", type=Path, help="variables of your own services (default: the local stack)"
    )
    parser.add_argument("--emulator", type=Path, required=True, help="folder with aws-lambda-rie-*")
    parser.add_argument(
        "--no-bytecode", dest="bytecode", action="store_false", help="build without .pyc"
    )
    parser.add_argument("--uv", default="uv", help="the uv command (default: uv)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
