"""Runs functions from `sam build` in AWS's own Docker image, with the services of the local stack.

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


def find_obstacle(image: str) -> str | None:
    """Return a sentence about the missing Docker or image, or None if both are there."""
    if not _succeeds("docker", "info"):
        return "Docker is not running. `make run-event` runs the functions without it."
    if not _succeeds("docker", "image", "inspect", image):
        return f"Docker does not have the image {image}. Run: docker pull {image}"
    return None


def image_of(template: StackTemplate, function: str) -> str:
    properties = template.functions[function]
    version = properties["Runtime"].removeprefix("python")
    return f"public.ecr.aws/lambda/python:{version}-{properties['Architectures'][0]}"


def invoke(sam: list[str], function: str, event: Path, variables: dict[str, str]) -> bool:
    """Run the function, which prints its logs and its answer. Return False if SAM could not run it."""
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
    if lacking := find_obstacle(image_of(template, names[0])):
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
    parser.add_argument(
        "function", nargs="?", choices=tuple(DEFAULT_EVENTS), help="function to run (default: all)"
    )
    parser.add_argument("--event", type=Path, help="event file (default: the example event)")
    parser.add_argument(
        "--sam", nargs=argparse.REMAINDER, required=True, help="the sam command, as the last option"
    )
    return parser.parse_args()


def _succeeds(*command: str) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


if __name__ == "__main__":
    sys.exit(main())
