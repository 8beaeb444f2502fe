"""Child processes end with their parent, in order. A child that ends by itself is reported with its reason."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from paydispatch.local.processes import PartFailed, Program, Supervisor


class Messages(list[str]):
    """The messages of the supervisor to its user."""

    def __call__(self, message: str) -> None:
        self.append(message)


@pytest.fixture
def messages() -> Messages:
    return Messages()


@pytest.fixture
def supervisor(tmp_path: Path, messages: Messages) -> Iterator[Supervisor]:
    supervisor = Supervisor(tmp_path, tell=messages)
    yield supervisor
    supervisor.close()


def _shell(script: str, *, restarts: bool = False, stop_within_s: float = 5) -> Program:
    return Program("part", ("/bin/sh", "-c", script), os.environ, (), restarts, stop_within_s)


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_stopped_child_is_gone(supervisor: Supervisor) -> None:
    child = supervisor.start(_shell("exec sleep 60"))
    supervisor.stop(["part"])
    assert not _exists(child.pid)
    assert supervisor.pids == {}


def test_a_child_that_ignores_sigterm_is_killed_when_its_time_is_up(supervisor: Supervisor) -> None:
    child = supervisor.start(
        _shell(
            "trap '' TERM; echo '{\"ready\": 1}'; while :; do sleep 0.01; done", stop_within_s=0.1
        )
    )
    child.await_announcement("ready", within_s=5)
    supervisor.stop(["part"])
    assert child.process.returncode == -9


def test_the_processes_that_a_child_started_end_with_it(supervisor: Supervisor) -> None:
    child = supervisor.start(_shell('sleep 60 & echo "{\\"grandchild\\": $!}"; wait'))
    grandchild = child.await_announcement("grandchild", within_s=5)
    supervisor.stop(["part"])
    _await_gone(grandchild)


def test_a_child_that_never_announces_itself_is_named_with_its_last_lines(
    supervisor: Supervisor,
) -> None:
    child = supervisor.start(_shell("echo no such flow; exit 3"))
    with pytest.raises(PartFailed, match=r"(?s)part ended with exit code 3.*no such flow"):
        child.await_announcement("ready", within_s=5)


def test_a_child_that_is_too_slow_is_named(supervisor: Supervisor) -> None:
    child = supervisor.start(_shell("exec sleep 60"))
    with pytest.raises(PartFailed, match=r"part was not ready within 0\.1 s"):
        child.await_announcement("ready", within_s=0.1)


def test_a_command_that_does_not_exist_is_named(supervisor: Supervisor) -> None:
    child = supervisor.start(Program("part", ("/no/such/program",), os.environ))
    with pytest.raises(PartFailed, match="/no/such/program"):
        child.await_announcement("ready", within_s=5)


def test_a_part_with_state_that_dies_ends_the_stack(supervisor: Supervisor) -> None:
    supervisor.start(_shell("exit 7"))
    supervisor.watch()
    with pytest.raises(PartFailed, match="part ended with exit code 7"):
        supervisor.wait(5)


def test_a_part_without_state_is_started_again(supervisor: Supervisor, messages: Messages) -> None:
    first = supervisor.start(_shell("exec sleep 60", restarts=True))
    supervisor.watch()
    first.process.kill()
    deadline = time.monotonic() + 5
    while supervisor.pids.get("part", first.pid) == first.pid and time.monotonic() < deadline:
        supervisor.wait(0.01)
    assert supervisor.pids["part"] != first.pid
    assert "part was ended by SIGKILL" in messages[0]


def test_a_part_that_dies_again_and_again_ends_the_stack(
    supervisor: Supervisor, messages: Messages
) -> None:
    supervisor.start(_shell("exit 1", restarts=True))
    supervisor.watch()
    with pytest.raises(PartFailed, match="part ended with exit code 1"):
        supervisor.wait(10)
    assert len(messages) == 5


def test_a_stopped_part_is_not_mistaken_for_a_dead_one(supervisor: Supervisor) -> None:
    supervisor.start(_shell("exec sleep 60"))
    supervisor.watch()
    supervisor.stop(["part"])
    supervisor.wait(0.2)


def test_a_child_reads_nothing_from_its_parent(supervisor: Supervisor) -> None:
    child = supervisor.start(_shell('read line || echo "{\\"ready\\": \\"end of file\\"}"'))
    assert child.await_announcement("ready", within_s=5) == "end of file"


def _await_gone(pid: int) -> None:
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        if not _exists(pid) or _is_zombie(pid):
            return
        time.sleep(0.01)
    pytest.fail(f"process {pid} is still there")


def _is_zombie(pid: int) -> bool:
    """Return whether the process has ended and its new parent has not collected it yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return False
