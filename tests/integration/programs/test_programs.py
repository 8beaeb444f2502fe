"""The programs of `docs/programs` run against the whole stack, as they are printed there."""

from __future__ import annotations

import ast
import asyncio
import inspect
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from paydispatch.local.listening import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from paydispatch.pytest_plugin.running_stack import RunningStack
    from paydispatch.pytest_plugin.twin_control import TwinControl

PROGRAMS = Path(__file__).parents[3] / "examples" / "programs"
PATIENCE_S = 60.0
KEY = "sk_test_programs"
PYTHONPATH = os.environ.get("PYTHONPATH", "")
"""`make programs` puts the libraries of the programs there. Without them their tests are skipped."""


@pytest.fixture
def environment(paydispatch_stack: RunningStack) -> dict[str, str]:
    libraries = [str(Path(place).resolve()) for place in PYTHONPATH.split(os.pathsep) if place]
    own = {"STRIPE_SECRET": KEY, "PYTHONPATH": os.pathsep.join([str(PROGRAMS), *libraries])}
    return {**paydispatch_stack.environment, **own}


@pytest.fixture
def orders(stripe_twin: TwinControl) -> Callable[[], list[str]]:
    """Return the orders that were paid at Stripe."""
    return lambda: sorted(
        str(effect["metadata"].get("order") or "")
        for effect in stripe_twin.effects("create_payment_intent")
    )


def wait_until(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.05)


@contextmanager
def running(
    command: tuple[str, ...], environment: dict[str, str]
) -> Iterator[subprocess.Popen[str]]:
    """Run a program in its own process group, and end it with SIGTERM."""
    process = subprocess.Popen(
        command, env=environment, cwd=PROGRAMS, text=True, start_new_session=True
    )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(PATIENCE_S)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


def answers(url: str) -> bool:
    try:
        httpx.get(url)
    except httpx.TransportError:
        return False
    return True


async def test_fastapi(
    environment: dict[str, str],
    orders: Callable[[], list[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("fastapi")
    monkeypatch.syspath_prepend(PROGRAMS)
    monkeypatch.setenv("STRIPE_SECRET", KEY)
    from fastapi_app import app  # type: ignore[import-not-found]

    transport = httpx.ASGITransport(app=app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://shop") as client,
    ):
        paid = await asyncio.gather(*(client.post(f"/orders/web-{n}/payment") for n in range(5)))
        again = await client.post("/orders/web-0/payment")
    assert {answer.status_code for answer in paid} == {202}
    assert again.json() == paid[0].json()
    wait_until(lambda: orders() == [f"web-{n}" for n in range(5)])


def test_flask_in_gunicorn_with_forked_workers(
    environment: dict[str, str], orders: Callable[[], list[str]], tmp_path: Path
) -> None:
    pytest.importorskip("flask")
    pytest.importorskip("gunicorn")
    port = free_port()
    command = (sys.executable, "-m", "gunicorn", "-c", "gunicorn_settings.py")
    url = f"http://127.0.0.1:{port}"
    own = {**environment, "HOME": str(tmp_path)}  # gunicorn puts a socket there
    with running((*command, "-b", f"127.0.0.1:{port}"), own):
        wait_until(lambda: answers(url))
        answered: list[dict[str, Any]] = []
        deadline = time.monotonic() + PATIENCE_S
        while len({answer["process"] for answer in answered}) < 2:
            assert time.monotonic() < deadline, "only one worker answers"
            answer = httpx.post(f"{url}/orders/forked-{len(answered)}/payment", timeout=PATIENCE_S)
            assert answer.status_code == 202
            answered.append(answer.json())
    wait_until(lambda: orders() == sorted(f"forked-{n}" for n in range(len(answered))))


def test_django(environment: dict[str, str], orders: Callable[[], list[str]]) -> None:
    pytest.importorskip("django")
    port = free_port()
    command = (sys.executable, "-m", "django", "runserver", "--noreload", f"127.0.0.1:{port}")
    own = {**environment, "DJANGO_SETTINGS_MODULE": "django_shop.settings"}
    url = f"http://127.0.0.1:{port}"
    with running(command, own):
        wait_until(lambda: answers(url))
        assert httpx.post(f"{url}/orders/7", timeout=PATIENCE_S).json() == {"order": "7"}
        wait_until(lambda: orders() == ["7"])


def test_a_command_of_django_starts_no_dispatcher(environment: dict[str, str]) -> None:
    pytest.importorskip("django")
    own = {**environment, "DJANGO_SETTINGS_MODULE": "django_shop.settings"}
    del own["REQUEST_QUEUE_URL"]
    command = (sys.executable, "-m", "django", "check")
    subprocess.run(command, env=own, cwd=PROGRAMS, check=True, timeout=PATIENCE_S)


def test_celery_with_a_pool_of_processes(
    environment: dict[str, str], orders: Callable[[], list[str]], tmp_path: Path
) -> None:
    celery = pytest.importorskip("celery")
    names = ("data_folder_in", "data_folder_out", "control_folder")
    folders = dict.fromkeys(names, str(tmp_path))
    settings = tmp_path / "celeryconfig.py"
    settings.write_text(f"broker_transport_options = {json.dumps(folders)}\n")
    own = {**environment, "CELERY_BROKER": "filesystem://", "CELERY_CONFIG_MODULE": "celeryconfig"}
    own["PYTHONPATH"] += f"{os.pathsep}{tmp_path}"
    sender = celery.Celery("shop", broker="filesystem://")
    sender.conf.broker_transport_options = folders
    command = (sys.executable, "-m", "celery", "-A", "celery_app", "worker", "-c", "2")
    with running((*command, "--pool", "prefork", "--without-gossip", "--without-mingle"), own):
        for order in ("a", "b", "c"):
            sender.send_task("celery_app.pay", (order,))
        wait_until(lambda: orders() == ["a", "b", "c"])


def test_a_script(environment: dict[str, str], stripe_twin: TwinControl) -> None:
    command = (sys.executable, "script.py", "order-1", "order-2")
    for _ in range(2):
        told = subprocess.run(
            command, env=environment, cwd=PROGRAMS, check=True, text=True, capture_output=True
        ).stdout
        assert len(told.split()) == 2
    wait_until(lambda: len(stripe_twin.effects("create_payment_intent")) == 2)


async def test_the_cells_of_a_notebook(
    environment: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Each cell is compiled as IPython does, with `await` at its top level."""
    monkeypatch.setenv("STRIPE_SECRET", KEY)
    names: dict[str, Any] = {}
    for cell in (PROGRAMS / "notebook_cells.py").read_text("utf-8").split("# %%\n"):
        code = compile(cell, "cell", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        result = eval(code, names)  # noqa: S307
        if inspect.iscoroutine(result):
            await result
    assert "succeeded pi_" in capsys.readouterr().out


def test_a_script_that_forks(environment: dict[str, str], orders: Callable[[], list[str]]) -> None:
    """The children of a program with a running Dispatcher dispatch too, and their ends flush."""
    program = """
import os, sys
from paydispatch import Dispatcher, new_payment_intent

def pay(order):
    intent = new_payment_intent().amount(2000).currency("usd").metadata({"order": order})
    return intent.create_async("payment-worker-1", order, os.environ["STRIPE_SECRET"])

dispatcher = Dispatcher.from_env().start()
pay("parent")
for number in range(3):
    if os.fork() == 0:
        pay(f"child-{number}").wait(30)
        sys.exit()
for _ in range(3):
    assert os.wait()[1] == 0
pay("parent again")
dispatcher.close(30)
"""
    command = (sys.executable, "-c", program)
    subprocess.run(command, env=environment, check=True, timeout=PATIENCE_S)
    wait_until(lambda: orders() == ["child-0", "child-1", "child-2", "parent", "parent again"])
