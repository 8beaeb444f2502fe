"""The web application: it stores an order, asks for its money, and answers without waiting for Stripe."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import FastAPI, HTTPException, Response
from pydantic import BaseModel, Field

from paydispatch import BadRequest, Dispatcher, Unavailable

from shop.orders import Order, Orders
from shop.payments import authorise


class Wanted(BaseModel):
    amount: Annotated[int, Field(gt=0)]
    card: str


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    orders = Orders.from_env()
    orders.make_tables()
    async with Dispatcher.from_env(delivery_timeout_s=20):
        for order in orders.in_state("new"):  # of a process that died before the queue had them
            authorise(order)
        yield


app = FastAPI(lifespan=lifespan)


@app.post("/orders/{order_id}", status_code=202)
def order(order_id: str, wanted: Wanted, response: Response) -> dict[str, Any]:
    orders = Orders.from_env()
    stored = orders.add(Order(order_id, wanted.amount, wanted.card))
    if (stored.amount, stored.card) != (wanted.amount, wanted.card):
        raise HTTPException(409, "There is another order with this id.")
    if stored.state == "new":
        try:
            authorise(stored).wait(timeout_s=2)
        except BadRequest as wrong:
            orders.move(order_id, "unpaid", of=("new",), reason=str(wrong))
            raise HTTPException(422, str(wrong)) from None
        except (TimeoutError, Unavailable):
            # The order is stored, and the same order is the same request, so the client may send it again.
            raise HTTPException(503, headers={"Retry-After": "5"}) from None
        orders.move(order_id, "authorising", of=("new",))
    response.headers["Location"] = f"/orders/{order_id}"
    return show(order_id)


@app.get("/orders/{order_id}")
def show(order_id: str) -> dict[str, Any]:
    found = Orders.from_env().find(order_id)
    if found is None:
        raise HTTPException(404)
    return asdict(found)
