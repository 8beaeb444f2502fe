"""Redis over TLS, with the users of `infra/redis.yaml`. It needs a `redis-server`: the wheel's Valkey has no TLS."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from redis import Redis
from redis.exceptions import AuthenticationError, NoPermissionError
from stack_template import load
from tests.integration.adapters.slot_worlds import claim_for, redis_world
from tests.integration.conftest import wait_until

from paydispatch.adapters.redis.connection import connect
from paydispatch.local.listening import free_port
from paydispatch.local.processes import Program

if TYPE_CHECKING:
    from collections.abc import Iterator

    from paydispatch.local.processes import Supervisor

ROOT = Path(__file__).parents[3]
SERVER = shutil.which("redis-server") or shutil.which("valkey-server")
STACK = load(ROOT / "infra/redis.yaml")
PROGRAMS = ("Api", "StripeCaller", "Reconciler", "FlowRunner", "Worker", "Operator")

pytestmark = pytest.mark.skipif(SERVER is None, reason="redis-server is not installed")


@pytest.fixture(scope="module")
def address(supervisor: Supervisor, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server that takes TLS alone. The address has the certificate that a client must trust."""
    folder, port = tmp_path_factory.mktemp("tls"), free_port()
    certificate, key = make_certificate(folder)
    tls = (
        "--tls-cert-file",
        str(certificate),
        "--tls-key-file",
        str(key),
        "--tls-auth-clients",
        "no",
    )
    where = ("--bind", "127.0.0.1", "--dir", str(folder), "--save", "")
    command = (str(SERVER), "--port", "0", "--tls-port", str(port), *tls, *where)
    child = supervisor.start(Program("redis-tls", command, {}))
    wait_until(lambda: child.check_alive() or listens(port, certificate))
    with Redis(host="127.0.0.1", port=port, ssl=True, ssl_ca_certs=str(certificate)) as admin:
        for program in PROGRAMS:
            admin.execute_command("ACL", "SETUSER", *rule_of(program), ">secret")
    yield f"127.0.0.1:{port}?ssl_ca_certs={certificate}"
    supervisor.stop(["redis-tls"])


def make_certificate(folder: Path) -> tuple[Path, Path]:
    certificate, key = folder / "server.crt", folder / "server.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1",
         "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
         "-out", str(certificate), "-keyout", str(key)],
        check=True, capture_output=True,
    )  # fmt: skip
    return certificate, key


def listens(port: int, certificate: Path) -> bool:
    from redis.exceptions import ConnectionError as NotConnected

    try:
        with Redis(host="127.0.0.1", port=port, ssl=True, ssl_ca_certs=str(certificate)) as admin:
            return bool(admin.ping())
    except NotConnected:
        return False


def rule_of(program: str) -> list[str]:
    """Return the name and the words of a program's user in the stack."""
    first, _ = STACK.resources[f"{program}User"]["Properties"]["AccessString"]["Fn::Join"][1]
    return [program, *f"{first} {STACK.mappings['Rights'][program]['Commands']}".split()]


async def test_the_caller_claims_a_request_over_tls(address: str) -> None:
    async with redis_world(f"rediss://StripeCaller:secret@{address}") as world:
        await world.requests.claim(claim_for())


@pytest.mark.parametrize("program", PROGRAMS)
def test_each_user_of_the_stack_signs_in_and_cannot_empty_the_server(
    program: str, address: str
) -> None:
    with (
        connect(f"rediss://{program}:secret@{address}") as redis,
        pytest.raises(NoPermissionError),
    ):
        redis.flushall()


def test_a_wrong_password_is_refused(address: str) -> None:
    with connect(f"rediss://Api:wrong@{address}") as redis, pytest.raises(AuthenticationError):
        redis.get("pd:x")


def test_a_server_with_an_unknown_certificate_is_refused(address: str) -> None:
    from redis.exceptions import ConnectionError as NotConnected

    with (
        connect(f"rediss://Api:secret@{address.partition('?')[0]}") as redis,
        pytest.raises(NotConnected, match=r"(?i)certificate"),
    ):
        redis.get("pd:x")
