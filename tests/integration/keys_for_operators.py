"""The operator's view of the requests of `keys_on_every_path`: traces, the console's data, a submission's files."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import aiohttp

from paydispatch.cli.main import main as run_command
from paydispatch.compose.console import serve as console
from paydispatch.local.listening import listen_on_loopback

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

TOKEN = "t" * 32


def submit_file(key: str, folder: Path) -> Path:
    """Submit a file with the key in each place of a line. Return the file."""
    file = folder / "requests.jsonl"
    good = {
        "object": "product",
        "worker_id": "w",
        "context_id": "submitted",
        "lane": "interactive",
        "params": {"name": "accepted"},
    }
    lines: tuple[str, ...] = (
        *(json.dumps(good | {"params": {"name": end}}) for end in ("accepted", "declined")),
        json.dumps(good | {"stripe_secret": key}),
        *(
            json.dumps(good | wrong)
            for wrong in (
                {"idempotency_key": key},
                {"context_id": key},
                {"params": {"name": key}},
                {"params": {key: 1}},
                {"lane": key},
                {key: key},
            )
        ),
        json.dumps(good | {"stripe_secret": key})[:-1],
        f'{{"a": 1, "{key}": 1, "{key}": 2}}',
    )
    file.write_text("\n".join(lines))
    table = folder / "requests.csv"
    table.write_text(f"context_id,params[name],{key}\nc,{key},1\nsubmitted,accepted,{key}\n")
    os.environ["STRIPE_SECRET_KEY"] = key
    with_table = ("submit", str(table), "--operation", "create_product", "--worker-id", "w")
    for words in (
        ("submit", str(file), "--plan"),
        ("submit", str(file)),
        ("submit", str(file), "--json"),
        ("submit", str(file), "--run", key),
        with_table,
        (*with_table, "--plan", "--map", f"{key}={key}", "--set", f"metadata[a]={key}"),
    ):
        run(*words)
    return file


def read_submission(file: Path) -> Iterator[str]:
    """Wait for the outcomes of the file, and yield each file that the command wrote."""
    run("submit", str(file), "--wait", "--wait-at-most", "2s")
    for written in sorted(file.parent.glob("requests.*.*")):
        yield f"SUBMISSION {written.name} {written.read_text('utf-8')}"


def trace(request_ids: Sequence[str], key: str) -> None:
    """Print the path of each request. The console shows the same as JSON."""
    for request_id in (*request_ids, key):
        run("status", request_id, "--trace")


def run(*words: str) -> None:
    """Run a command in this process. It prints."""
    print("COMMAND", words[0])
    with suppress(SystemExit):
        run_command(list(words))


async def read_console(request_ids: Sequence[str], key: str) -> list[str]:
    """Return each answer of the console's data, also to questions that hold the key."""
    listener = listen_on_loopback()
    base = f"http://127.0.0.1:{listener.getsockname()[1]}"

    def operate(command: str, given: Any) -> dict[str, Any]:
        raise ValueError(f"{command} {given} {key}")

    paths = (
        *("/data/features", "/data/requests", f"/data/requests?q={key}", f"/data/requests/{key}"),
        *(f"/data/requests/{request_id}" for request_id in request_ids),
        f"/{key}",
    )
    cookies = aiohttp.CookieJar(unsafe=True)  # of an address that is no name
    async with (
        console.serve(operate, listener, token=TOKEN, reads_redis=True),
        aiohttp.ClientSession(base, cookie_jar=cookies) as browser,
    ):
        await browser.get(f"/?token={TOKEN}")
        answers = [await _read(browser.get(path)) for path in paths]
        body = {"command": "pause", "arguments": {key: key}}
        answers.append(
            await _read(browser.post("/data/commands", json=body, headers={"Origin": base}))
        )
    return answers


async def _read(asked: Any) -> str:
    async with asked as answer:
        return f"CONSOLE {answer.status} {dict(answer.headers)} {await answer.text()}"
