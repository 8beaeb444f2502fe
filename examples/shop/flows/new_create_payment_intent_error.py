"""There is no payment intent, or nobody knows yet. `certainty` says which."""

from paydispatch import Flow, ParsedError

from shop.orders import Orders, State


def run(parsed_error: ParsedError, flow: Flow) -> None:
    state: State = "unclear" if parsed_error.certainty == "unknown" else "unpaid"
    Orders.from_env().move(
        flow.context_id, state, of=("new", "authorising", "unclear"), reason=str(parsed_error)
    )
