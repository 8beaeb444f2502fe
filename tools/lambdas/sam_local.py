"""Run functions that `sam build` made in AWS's own image, with the local stack behind them.

python tools/lambdas/sam_local.py [FUNCTION] [--event FILE] --sam uv tool run … sam
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from backing import local_stack
from build_function import ROOT
from run_event import DEFAULT_EVENTS, as_if_sent_now
from stack_template import StackTemplate, load


def missing(image: str) -> str | None:
    """What this machine lacks, in words, or None."""
    if not _succeeds("docker", "info"):
        return "no Docker is running here; `make run-event` does the same without it"
    if not _succeeds("docker", "image", "inspect", image):
        return f"Docker has no {image} yet: docker pull {image}"
    return None


def image_of(template: StackTemplate, function: str) -> str:
    properties = template.functions[function]
    version = properties["Runtime"].removeprefix("python")
    return f"public.ecr.aws/lambda/python:{version}-{properties['Architectures'][0]}"


def invoke(sam: list[str], function: str, event: Path, variables: dict[str, str]) -> bool:
    """Print the function's logs and its answer. False if SAM could not run it."""
    with tempfile.TemporaryDirectory() as directory:
        environment, message = Path(directory) / "env.json", Path(directory) / "event.json"
        environment.write_text(json.dumps({function: variables}))
        message.write_text(json.dumps(as_if_sent_now(json.loads(event.read_text()))))
        inputs = ["--event", str(message), "--env-vars", str(environment)]
        docker = ["--docker-network", "host", "--skip-pull-image"]
        command = [*sam, "local", "invoke", function, *inputs, *docker]
        return subprocess.run(command, cwd=ROOT, check=False).returncode == 0


def main() -> int:
    options = _options()
    template = load()
    names = [options.function] if options.function else list(DEFAULT_EVENTS)
    if lacking := missing(image_of(template, names[0])):
        print(f"sam-local: {lacking}", file=sys.stderr)
        return 1
    with local_stack() as variables:
        events = {
            name: options.event or ROOT / "tests/events" / DEFAULT_EVENTS[name] for name in names
        }
        done = [invoke(options.sam, name, event, variables) for name, event in events.items()]
    return 0 if all(done) else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Run functions in Docker with `sam local invoke`.")
    parser.add_argument("function", nargs="?", choices=tuple(DEFAULT_EVENTS))
    parser.add_argument("--event", type=Path)
    parser.add_argument("--sam", nargs=argparse.REMAINDER, required=True, help="the command, last")
    return parser.parse_args()


def _succeeds(*command: str) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


if __name__ == "__main__":
    sys.exit(main())
