"""The twin as a process: it prints its address, and it ends when it should."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

import httpx
import pytest

from paydispatch.cli.commands.twin import _listener

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TWIN = (sys.executable, "-m", "paydispatch.twin", "--port", "0")
CLI = (
    sys.executable,
    "-c",
    "import argparse; from paydispatch.cli.commands import twin; p = argparse.ArgumentParser();"
    "twin.add_parser(p.add_subparsers()); a = p.parse_args(); raise SystemExit(a.run(a))",
    "twin",
    "--port",
    "0",
    "--json",
)
# Starts a twin as its child, passes its ready line on, and dies without stopping it.
DYING_PARENT = """
import os, subprocess, sys
child = subprocess.Popen([*sys.argv[1:], "--parent-pid", str(os.getpid())], stdout=subprocess.PIPE)
print(child.stdout.readline().decode().strip(), flush=True)
sys.stdin.readline()
os._exit(1)
"""


@contextmanager
def start(*command: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def ready(process: subprocess.Popen[str]) -> str:
    base_url: str = json.loads(_pipe(process.stdout).readline())["stripe_base"]
    return base_url


def _pipe(pipe: IO[str] | None) -> IO[str]:
    assert pipe is not None
    return pipe


@pytest.mark.parametrize("command", [TWIN, CLI], ids=["module", "command"])
def test_it_prints_its_address_and_ends_on_sigterm(command: tuple[str, ...]) -> None:
    with start(*command) as process:
        assert httpx.get(ready(process) + "/_twin/health").json() == {"ok": True}
        process.send_signal(signal.SIGTERM)
        assert process.wait(5) == 0
        assert _pipe(process.stderr).read() == ""


def test_two_twins_run_side_by_side() -> None:
    with start(*TWIN) as one, start(*TWIN) as other:
        bases = {ready(one), ready(other)}
        assert len(bases) == 2
        assert all(httpx.get(base + "/_twin/health").status_code == 200 for base in bases)


def test_the_command_takes_the_next_port_when_its_own_is_taken() -> None:
    with _listener(None) as one, _listener(None) as other:
        assert one.getsockname() != other.getsockname()


def test_it_ends_with_the_process_it_belongs_to() -> None:
    with start(sys.executable, "-c", DYING_PARENT, *TWIN) as parent:
        base = ready(parent)
        assert httpx.get(base + "/_twin/health").status_code == 200
        _pipe(parent.stdin).write("die\n")
        _pipe(parent.stdin).flush()
        parent.wait(5)
        # The twin holds the other end of this pipe, so the pipe closes when the twin ends.
        assert _pipe(parent.stderr).read() == ""
        with pytest.raises(httpx.ConnectError):
            httpx.get(base + "/_twin/health")


def test_it_does_not_start_for_a_parent_that_has_ended() -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    with start(*TWIN, "--parent-pid", str(gone.pid)) as process:
        assert process.wait(60) == 0


def test_it_never_prints_a_key() -> None:
    with start(*TWIN) as process:
        base = ready(process)
        for key in ("sk_test_very_secret", "nonsense_very_secret", "pk_test_very_secret"):
            answer = httpx.post(base + "/v1/products", data={"label": "Tea"}, auth=(key, ""))
            assert "very_secret" not in answer.text
        assert "very_secret" not in httpx.get(base + "/_twin/attempts").text
        process.send_signal(signal.SIGTERM)
        process.wait(5)
        assert "very_secret" not in _pipe(process.stdout).read() + _pipe(process.stderr).read()


def test_chaos_and_rate_limits_come_from_the_command_line(tmp_path: Path) -> None:
    chaos = tmp_path / "chaos.json"
    chaos.write_text('{"faults": [{"action": {"kind": "status", "status": 503}, "times": 1}]}')
    options = ("--lenient", "--rate-limits", "100,2,2", "--chaos", str(chaos))
    with start(*TWIN, *options) as process:
        base = ready(process)
        auth = ("sk_test_a", "")
        statuses = [httpx.get(base + "/v1/products", auth=auth).status_code for _ in range(20)]
        assert statuses[:2] == [503, 200]
        assert 429 in statuses  # the number depends on the speed of the machine


@pytest.mark.parametrize(
    "options", [("--chaos", '{"faults": [{}]}'), ("--chaos", "/no/such"), ("--rate-limits", "many")]
)
def test_options_that_cannot_be_understood_are_refused(options: tuple[str, ...]) -> None:
    with start(*TWIN, *options) as process:
        assert process.wait(60) == 2
        assert options[0] in _pipe(process.stderr).read()
