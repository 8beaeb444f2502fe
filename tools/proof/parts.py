"""The parts of the proof: commands that exist on their own, with what each needs of the machine."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_PYTEST = (".venv/bin/pytest", "-q", "-p", "no:xdist")
_ADAPTERS = "tests/integration/adapters"
_ON_THREE_NODES = ("env", "CLUSTER_NODES=3", *_PYTEST, "-k", "cluster or three")
_REDIS_TESTS = tuple(
    f"{_ADAPTERS}/test_{name}.py"
    for name in (
        *(
            "limiter_on_three_nodes",
            "redis_slots",
            "redis_outcomes",
            "outcome_stream",
            "flow_inbox",
        ),
        *("slot_claims", "slot_sends", "slot_ends", "slot_doubts", "doubts", "sweep"),
        *("unknown_outcomes", "conversations", "request_store", "missing_status"),
    )
)
"""What keeps the promises of a request. The other tests look at one node alone, for example at its users."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part: a command, and a function that says why this machine cannot run it."""

    name: str
    command: tuple[str, ...]
    obstacle: Callable[[], str | None] = lambda: None


def no_docker() -> str | None:
    """Return why no container can run here, or None if one can."""
    docker = shutil.which("docker")
    if docker is None:
        return "Docker is not installed"
    if subprocess.run([docker, "info"], capture_output=True, check=False).returncode:
        return "the Docker daemon is not running"
    return None


def no_redis_server() -> str | None:
    """Return why the servers with TLS cannot be started, or None if they can. Names the command that mends it."""
    if shutil.which("redis-server") or shutil.which("valkey-server"):
        return None
    who = "" if os.getuid() == 0 else "as root: "
    return f"redis-server is not installed ({who}apt-get install redis-server)"


def parts(uv: str) -> list[Part]:
    """Return all parts in their order: quick checks first, so that a plain mistake shows early."""
    tool = ("make", "--silent", f"UV={uv}")
    return [
        Part("cfn-lint with our rules", (*tool, "lint-template")),
        Part("checkov", (*tool, "checkov")),
        Part("bandit", (*tool, "bandit")),
        Part("sam build", (*tool, "build")),
        Part("zips: content and events", (*_PYTEST, "tests/integration/test_built_functions.py")),
        Part(
            "zips: warm, wrong events, restored",
            (*_PYTEST, "tests/integration/test_warm_functions.py"),
        ),
        Part("a project's own flows", (*_PYTEST, "tests/integration/test_outside_project.py")),
        Part("Redis Cluster of three nodes", (*_ON_THREE_NODES, *_REDIS_TESTS)),
        Part(
            "rights of the Redis users",
            (*_PYTEST, "tests/integration/adapters/test_redis_user.py"),
        ),
        Part(
            "Redis over TLS with users",
            (*_PYTEST, "tests/integration/adapters/test_redis_over_tls.py"),
            no_redis_server,
        ),
        Part("sam local invoke", (*tool, "sam-local"), no_docker),
    ]
