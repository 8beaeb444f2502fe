"""Run the unit tests and the model on every CPython of this machine that the project says it runs on.

python tools/lambdas/every_python.py --uv PATH

The Python that runs this is left out, because `make unit` and `make test` use it. Each other one has an environment of
its own, `.venv-3.13` and so on. The model searches one step less deep, unless PROTOCOL_DEPTH says otherwise: what
differs between Pythons shows there as well.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

from pythons import find_python

ROOT = Path(__file__).resolve().parents[2]
VERSIONS = ("3.11", "3.12", "3.13", "3.14")
"""From `requires-python` on, as far as the locked libraries have wheels."""

SUITES = ("tests/unit", "tests/model")


def main() -> int:
    options = _options()
    own = f"{sys.version_info.major}.{sys.version_info.minor}"
    others = {
        version: path
        for version in VERSIONS
        if version != own and (path := find_python(version, options.uv))
    }
    if not others:
        print(f"pythons: {own} is the only one here, and `make unit` has it")
        return 0
    passed = [_passes(version, path, options.uv) for version, path in others.items()]
    return 0 if all(passed) else 1


def _passes(version: str, path: str, uv: str) -> bool:
    print(f"pythons: {version} ({path})", flush=True)
    environment = ROOT / f".venv-{version}"
    return _installs(environment, path, uv) and _tests(environment)


def _installs(environment: Path, path: str, uv: str) -> bool:
    variables = {**os.environ, "UV_PROJECT_ENVIRONMENT": str(environment)}
    command = [uv, "sync", "--frozen", "--quiet", "--extra", "local", "--python", path]
    return _succeeds(command, variables)


def _tests(environment: Path) -> bool:
    # Its own cache: the other environments run here as well.
    command = [environment / "bin/python", "-m", "pytest", "-q", "-p", "no:cacheprovider", *SUITES]
    return _succeeds([str(part) for part in command], {"PROTOCOL_DEPTH": "1", **os.environ})


def _succeeds(command: list[str], variables: dict[str, str]) -> bool:
    return subprocess.run(command, check=False, cwd=ROOT, env=variables).returncode == 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Run the suites on every Python of this machine.")
    parser.add_argument("--uv", default="uv")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
