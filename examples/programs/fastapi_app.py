"""A FastAPI application: its lifespan holds the Dispatcher, and a request waits until the queue has the payment."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, HTTPException

from paydispatch import Dispatcher, Unavailable, new_payment_intent


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    async with Dispatcher.from_env(delivery_timeout_s=20):
        yield


app = FastAPI(lifespan=lifespan)


@app.post("/orders/{order}/payment", status_code=202)
async def pay(order: str) -> dict[str, str]:
    intent = new_payment_intent().amount(2000).currency("usd").metadata({"order": order})
    try:
        receipt = intent.create_async(
            "payment-worker-1", order, os.environ["STRIPE_SECRET"], idempotency_key=f"pay-{order}"
        )
        await asyncio.wait_for(receipt, timeout=2)
    except (TimeoutError, Unavailable):
        # The same order is the same request, so the client may try again.
        raise HTTPException(503, headers={"Retry-After": "5"}) from None
    return {"request_id": receipt.request_id}
