"""Fixtures of the adapter tests: entries, envelopes, a fixed clock, and the worlds in which a contract is tested."""

from __future__ import annotations

import asyncio
import itertools
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from tests.integration.adapters.limit_worlds import memory_limit_world, redis_limit_world
from tests.integration.adapters.slot_worlds import memory_world, redis_world
from tests.lossy_way import LossyWay

from paydispatch.adapters.redis import keys
from paydispatch.adapters.redis.connection import connect_async
from paydispatch.adapters.redis.streams.inbox import RedisInbox
from paydispatch.adapters.redis.streams.outcomes import RedisOutcomes
from paydispatch.domain.entry import OutcomeEntry
from paydispatch.domain.envelope import Envelope
from paydispatch.domain.identity.slots import slot_name
from paydispatch.domain.outcomes import Certainty, Error, ErrorKind, Response
from paydispatch.domain.progress import Progress
from paydispatch.testing.memory_clock import MemoryClock
from paydispatch.testing.memory_event_log import MemoryEventLog
from paydispatch.testing.memory_inbox import MemoryInbox

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from typing import Protocol

    from tests.integration.adapters.limit_worlds import LimitWorld
    from tests.integration.adapters.slot_worlds import SlotsWorld

    from paydispatch.ports import Turn

    class ValkeyServer(Protocol):
        port: int
        url: str


@pytest.fixture
def clock() -> MemoryClock:
    return MemoryClock()


@pytest.fixture
def log() -> MemoryEventLog:
    return MemoryEventLog()


@pytest.fixture
def entry() -> Callable[..., OutcomeEntry]:
    """Make entries: `entry("r1")` has a response, `entry("r1", unknown=True)` an unknown outcome."""

    def make(
        request_id: str, context_id: str = "c1", *, unknown: bool = False, **changed: Any
    ) -> OutcomeEntry:
        fields = {
            "object": "product",
            "worker_id": "w1",
            "params": {"name": "Tea"},
            "outcome": doubt() if unknown else Response(body={"id": "prod_1"}, attempts=1),
            "settled_at": 1_800_000_000.5,
        }
        return OutcomeEntry(request_id=request_id, context_id=context_id, **{**fields, **changed})

    return make


@pytest.fixture
def envelope(clock: MemoryClock) -> Callable[..., Envelope]:
    def make(request_id: str = "r1", **changed: Any) -> Envelope:
        fields = {
            "object": "product",
            "params": {"name": "Tea"},
            "worker_id": "w1",
            "context_id": "c1",
            "accepted_at": clock.now_s(),
            "progress": Progress(deadline_at=clock.now_s() + 3600),
            "sealed_secret": "1.sealed",
        }
        return Envelope(request_id=request_id, **{**fields, **changed})

    return make


def doubt() -> Error:
    return Error(kind=ErrorKind.HTTP, message="no answer", attempts=3, certainty=Certainty.UNKNOWN)


@pytest.fixture
async def lossy(valkey: ValkeyServer) -> AsyncIterator[tuple[LossyWay, str]]:
    """The lossy way, and the URL of the server behind it."""
    way = LossyWay(valkey.port)
    port = await way.open()
    yield way, f"redis://127.0.0.1:{port}/0"
    await way.close()


class MemoryInboxWorld:
    """A world in which every runner uses the same twin."""

    def __init__(self, clock: MemoryClock) -> None:
        self.clock = clock
        self._inbox = MemoryInbox(clock, lease_s=1_000_000)

    def runner(self, name: str) -> MemoryInbox:
        return self._inbox

    async def publish(self, *entries: OutcomeEntry) -> None:
        for entry in entries:
            self._inbox.put(entry)

    async def let_lease_run_out(self, turn: Turn) -> None:
        self._inbox._contexts[turn.worker_slot, turn.entry.context_id].lease_until = 0.0

    async def dead(self, worker: str = "w1") -> list[tuple[OutcomeEntry, str]]:
        return [(entry, why) for entry, why in self._inbox.dead if _worker_slot(entry) == worker]


def _worker_slot(entry: OutcomeEntry) -> str:
    return slot_name(entry.tenant or "local", entry.worker_id, "local")


class RedisInboxWorld:
    """A world in which every runner is a separate consumer on one server."""

    def __init__(self, redis: Any, clock: MemoryClock, log: MemoryEventLog) -> None:
        self.redis = redis
        self.clock = clock
        self.log = log
        self._outcomes = RedisOutcomes(redis, queue_tenant="local")

    def runner(self, name: str) -> RedisInbox:
        return RedisInbox(self.redis, self.clock, self.log, consumer=name, flow_timeout_s=1_000)

    async def publish(self, *entries: OutcomeEntry) -> None:
        for entry in entries:
            await self._outcomes.publish(entry)

    async def let_lease_run_out(self, turn: Turn) -> None:
        """Make the lease expire and the entry old, without waiting."""
        worker, context_id = turn.worker_slot, turn.entry.context_id
        await self.redis.delete(keys.lease(worker, context_id))
        await self.age(worker, turn.entry_id)

    async def age(self, worker: str, *entry_ids: str) -> None:
        """Make these entries pending for longer than any run may take."""
        stream = keys.outcomes(worker)
        await self.redis.xclaim(
            stream, keys.GROUP, "gone", 0, entry_ids, idle=10_000_000, justid=True
        )

    async def dead(self, worker: str = "w1") -> list[tuple[OutcomeEntry, str]]:
        lying = await self.redis.xrange(keys.dead(worker))
        return [(OutcomeEntry.from_json(f["entry"]), f["reason"]) for _, f in lying]


@pytest.fixture(params=["memory", "valkey", "cluster"])
async def inboxes(
    request: pytest.FixtureRequest, clock: MemoryClock, log: MemoryEventLog
) -> AsyncIterator[MemoryInboxWorld | RedisInboxWorld]:
    if request.param == "memory":
        yield MemoryInboxWorld(clock)
        return
    redis = connect_async(request.getfixturevalue(request.param).url)
    yield RedisInboxWorld(redis, clock, log)
    await redis.aclose()


@pytest.fixture(params=["memory", "valkey", "cluster"])
async def slots(request: pytest.FixtureRequest) -> AsyncIterator[SlotsWorld]:
    """The callers' and the API's side of empty request slots."""
    if request.param == "memory":
        yield memory_world()
        return
    async with redis_world(request.getfixturevalue(request.param).url) as world:
        yield world


@pytest.fixture(params=["memory", "valkey", "cluster"])
async def limits(request: pytest.FixtureRequest) -> AsyncIterator[LimitWorld]:
    """A limiter with Stripe's limits, breakers of keys, and the operator's board."""
    if request.param == "memory":
        yield memory_limit_world()
        return
    async with redis_limit_world(request.getfixturevalue(request.param).url) as world:
        yield world


@dataclass
class Received:
    """One HTTP request as the server received it."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    connection: int
    """The number of its connection, from 1."""


class WireServer:
    """An HTTP server that answers exactly the bytes of a test and can fail at any point."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.arrived = asyncio.Event()
        self.answers: Iterator[Answer] = itertools.repeat(answer(200, {}))
        self.connections = 0
        self._writers: list[asyncio.StreamWriter] = []

    async def open(self) -> str:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=1024)
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def close(self) -> None:
        self.hang_up()
        self._server.close()
        await self._server.wait_closed()

    def hang_up(self) -> None:
        """Close every connection, as a server does after a long idle time."""
        for writer in self._writers:
            writer.close()
        self._writers.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.append(writer)
        connection = self.connections
        try:
            while True:
                self.received.append(await self._read(reader, connection))
                self.arrived.set()
                said = next(self.answers)
                await asyncio.sleep(said.after_s)
                writer.write(said.text)
                await writer.drain()
                if said.then is not None:
                    said.then(writer)
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()  # the caller closed the connection

    async def _read(self, reader: asyncio.StreamReader, connection: int) -> Received:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.strip().split("\r\n")
        pairs = (line.split(": ", 1) for line in lines)
        headers = {name.lower(): value for name, value in pairs}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        method, target, _ = first.split(" ")
        return Received(method, target, headers, body, connection)


@dataclass(frozen=True)
class Answer:
    text: bytes
    after_s: float = 0.0
    then: Callable[[asyncio.StreamWriter], None] | None = None
    """Ends the connection after the answer. None keeps the connection open."""


def answer(status: int, body: Any, after_s: float = 0.0, **headers: str) -> Answer:
    """Make a complete answer. The body is encoded as JSON unless it is bytes."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    shown = {"Content-Length": str(len(content)), **headers}
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in shown.items())
    return Answer(f"HTTP/1.1 {status} Said\r\n{lines}\r\n".encode() + content, after_s)


@pytest.fixture
def wire_answer() -> Callable[..., Answer]:
    return answer


@pytest.fixture
async def wire() -> AsyncIterator[tuple[WireServer, str]]:
    """The wire server and its URL."""
    server = WireServer()
    yield server, await server.open()
    await server.close()
