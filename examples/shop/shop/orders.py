"""The orders and the renewals of the shop, in SQLite.

A flow may run twice, and two flows of one order never run at once. So each step is one statement that does nothing when
it is repeated.
"""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator

_SCHEMA = """
CREATE TABLE IF NOT EXISTS orders (
    id TEXT PRIMARY KEY, amount INTEGER NOT NULL, card TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'new', payment TEXT, reason TEXT
);
CREATE TABLE IF NOT EXISTS parcels (order_id TEXT PRIMARY KEY);
CREATE TABLE IF NOT EXISTS renewals (contract TEXT PRIMARY KEY, payment TEXT NOT NULL);
"""

_BUSY_S = 2.0
"""The time that a statement waits for another program's write. Then it raises, and the flow runs again later."""


State = Literal[
    "new", "authorising", "authorised", "paid", "unpaid", "cancelling", "cancelled", "unclear"
]
"""`unclear`: Stripe may have done what was asked. A later outcome or a person settles it."""


@dataclass(frozen=True)
class Order:
    id: str
    amount: int
    """In cents."""
    card: str
    """The id of a payment method at Stripe."""
    state: State = "new"
    payment: str | None = None
    reason: str | None = None


class Orders:
    def __init__(self, file: Path) -> None:
        self._file = file

    @classmethod
    def from_env(cls) -> Orders:
        return cls(Path(os.environ.get("SHOP_DB", "shop.db")))

    def make_tables(self) -> None:
        with self._connected() as database:
            database.execute("PRAGMA journal_mode=WAL")
            database.executescript(_SCHEMA)

    def add(self, order: Order) -> Order:
        """Store a new order, and return the stored one. An order that is there already stays as it is."""
        with self._connected() as database:
            database.execute(
                "INSERT OR IGNORE INTO orders (id, amount, card) VALUES (?, ?, ?)",
                (order.id, order.amount, order.card),
            )
        return self.find(order.id) or order

    def find(self, order: str) -> Order | None:
        with self._connected() as database:
            row = database.execute("SELECT * FROM orders WHERE id = ?", (order,)).fetchone()
        return Order(**dict(row)) if row else None

    def in_state(self, state: State) -> list[Order]:
        with self._connected() as database:
            rows = database.execute("SELECT * FROM orders WHERE state = ? ORDER BY id", (state,))
            return [Order(**dict(row)) for row in rows]

    def move(
        self,
        order: str,
        state: State,
        *,
        of: tuple[State, ...],
        payment: str | None = None,
        reason: str | None = None,
    ) -> bool:
        """Move an order from one of the states `of`. Return whether this call did it."""
        with self._connected() as database:
            moved = database.execute(
                "UPDATE orders SET state = ?, payment = coalesce(?, payment), reason = ? "
                "WHERE id = ? AND state IN (SELECT value FROM json_each(?))",
                (state, payment, reason, order, json.dumps(of)),
            )
            return moved.rowcount == 1

    def send_parcel(self, order: str) -> None:
        """Ship the order. The primary key refuses a second parcel."""
        with self._connected() as database:
            database.execute("INSERT OR IGNORE INTO parcels VALUES (?)", (order,))

    def parcels(self) -> list[str]:
        with self._connected() as database:
            rows = database.execute("SELECT order_id FROM parcels ORDER BY order_id")
            return [row["order_id"] for row in rows]

    def renew(self, contract: str, payment: str) -> None:
        with self._connected() as database:
            database.execute("INSERT OR IGNORE INTO renewals VALUES (?, ?)", (contract, payment))

    def renewed(self) -> dict[str, str]:
        """Return the payment of each renewed contract."""
        with self._connected() as database:
            rows = database.execute("SELECT contract, payment FROM renewals")
            return {row["contract"]: row["payment"] for row in rows}

    def clear(self) -> None:
        with self._connected() as database:
            database.executescript("DELETE FROM orders; DELETE FROM parcels; DELETE FROM renewals")

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        """Open a connection for one transaction. Raises `sqlite3.Error` while the database is away."""
        with closing(sqlite3.connect(self._file, timeout=_BUSY_S)) as database, database:
            database.row_factory = sqlite3.Row
            yield database
