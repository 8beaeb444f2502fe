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
_INTEGRATION = "tests/integration"
_ADAPTERS = f"{_INTEGRATION}/adapters"
_ON_A_CLUSTER = ("-k", "cluster or three")
_REQUESTS = tuple(
    f"{_ADAPTERS}/test_{name}.py"
    for name in (
        *("conversations", "doubts", "flow_inbox", "missing_status", "outcome_stream"),
        *("redis_inbox", "redis_outcomes", "redis_slots", "redis_user", "request_store"),
        *("slot_claims", "slot_doubts", "slot_ends", "slot_sends", "sweep", "unknown_outcomes"),
    )
)
"""What keeps the promises of a request in Redis, and the users that may do it."""

_NODES = tuple(
    f"{_ADAPTERS}/test_{name}.py"
    for name in (
        *("backlog", "limiter_on_three_nodes", "redis_connections", "redis_eviction"),
        *("shared_pipelines", "traces"),
    )
)
"""What else has a cluster of its own, or looks at every node."""


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
    """Return why no other server than the wheel's can be started, or None. Names the command that mends it."""
    if shutil.which("redis-server"):
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
        Part(
            "zips: content, events, warm, wrong events, restored",
            (
                *_PYTEST,
                f"{_INTEGRATION}/test_built_functions.py",
                f"{_INTEGRATION}/test_warm_functions.py",
            ),
        ),
        Part(
            "the stack, deployed to an emulated account with a project's own flows",
            (*_PYTEST, f"{_INTEGRATION}/test_deployed_stack.py"),
        ),
        Part("an upgrade from an earlier release", (*_PYTEST, f"{_INTEGRATION}/upgrade")),
        Part(
            "Redis Cluster of three nodes",
            ("env", "CLUSTER_NODES=3", *_PYTEST, *_ON_A_CLUSTER, *_REQUESTS, *_NODES),
        ),
        Part(
            "the installed redis-server, such as Debian's 7.0",
            ("env", "REDIS_SERVER=redis-server", *_PYTEST, "-k", "valkey", *_REQUESTS),
            no_redis_server,
        ),
        Part(
            "Redis over TLS with users",
            (*_PYTEST, f"{_ADAPTERS}/test_redis_over_tls.py"),
            no_redis_server,
        ),
        Part("sam local invoke", (*tool, "sam-local"), no_docker),
    ]
