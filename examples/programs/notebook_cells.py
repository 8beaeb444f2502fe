# %%
import os

from paydispatch import Dispatcher, new_payment_intent

dispatcher = Dispatcher.from_env().start()  # once for all cells

# %%
receipt = (
    new_payment_intent()
    .amount(2000)
    .currency("usd")
    .create_async("payment-worker-1", "notebook", os.environ["STRIPE_SECRET"])
)
await receipt  # a notebook runs in an event loop, so await works in a cell
print(receipt)

# %%
outcome = await receipt.outcome(timeout_s=20)
print(outcome.status, outcome.parsed_data and outcome.parsed_data["id"])

# %%
dispatcher.close()
