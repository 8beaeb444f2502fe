"""Runs the unit tests and the model on every supported CPython of this machine.

python tools/lambdas/every_python.py --uv PATH [--newest]

It leaves out the Python that runs it, because `make unit` and `make test` use that one. Each other Python has its own
environment, `.venv-3.13` and so on. The model searches one step less deep unless PROTOCOL_DEPTH is set, because that
depth also shows the differences between Pythons.
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
"""The versions from `requires-python` on for which the locked libraries have wheels."""

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
        print(f"pythons: no CPython other than {own} is installed, and `make unit` tests that one")
        return 0
    chosen = list(others.items())[-1:] if options.newest else others.items()
    passed = [_passes(version, path, options.uv) for version, path in chosen]
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
    # Without a cache, because the other environments use the same folder.
    pytest = [environment / "bin/python", "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    command = [*pytest, "-n", "auto", "--dist", "worksteal", *SUITES]
    return _succeeds([str(part) for part in command], {"PROTOCOL_DEPTH": "1", **os.environ})


def _succeeds(command: list[str], variables: dict[str, str]) -> bool:
    return subprocess.run(command, check=False, cwd=ROOT, env=variables).returncode == 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Run the unit tests and the model on every other CPython of this machine."
    )
    parser.add_argument("--uv", default="uv", help="the uv command (default: uv)")
    parser.add_argument("--newest", action="store_true", help="on the newest of them alone")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
