"""The capture did not happen, or nobody knows yet. Only in the first case the reservation is cancelled."""

from paydispatch import Flow, ParsedError

from shop.orders import Orders


def run(parsed_error: ParsedError, flow: Flow) -> None:
    orders, reason = Orders.from_env(), str(parsed_error)
    if parsed_error.certainty == "unknown":
        orders.move(flow.context_id, "unclear", of=("authorised",), reason=reason)
        return
    orders.move(flow.context_id, "cancelling", of=("authorised", "unclear"), reason=reason)
    flow.cancel_payment_intent(flow.path["intent"]).call_async()
