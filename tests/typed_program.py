"""A program that dispatches, with mistakes that a type checker must find. Each has the comment `# wrong`."""

PROGRAM = """
from paydispatch import Dispatcher, Flow, new_payment_intent, new_product
from paydispatch.operations import capture_payment_intent, delete_coupon

def right() -> None:
    with Dispatcher.from_env(buffer_size=10, warm=["create_product"], status_url="https://api"):
        receipt = new_product().name("Tea").create_async("w", "c", "sk", lane="batch")
        delete_coupon("SUMMER").call_async("w", "c", "sk", lane="interactive")
        capture_payment_intent("pi_1", amount_to_capture=500).call_async("w", "c", "sk")
        print(receipt.outcome(10).status == "succeeded")

async def awaited() -> str:
    receipt = new_product().name("Tea").create_async("w", "c", "sk")
    outcome = await receipt.outcome(timeout_s=10)
    return outcome.status

def run(parsed_data: dict[str, str], flow: Flow) -> None:
    flow.new_price().product(parsed_data["id"]).unit_amount(1500).create_async(lane="batch")
    flow.new_price().unit_amout(1500)  # wrong
    flow.capture_payment_intent(parsed_data["id"]).call_async(lane="express")  # wrong

def wrong() -> None:
    new_product().name("Tea").create_async("w", "c", "sk", lane="express")  # wrong
    new_payment_intent().amuont(2000)  # wrong
    capture_payment_intent("pi_1", amount_to_captur=500)  # wrong
    delete_coupon("SUMMER").call_async("w", "c", "sk", lane="Batch")  # wrong
    Dispatcher.from_env(bufer_size=10)  # wrong
    Dispatcher.http("https://api", delivery_timeout_s="10")  # wrong
"""

WRONG = {
    number for number, line in enumerate(PROGRAM.splitlines(), start=1) if line.endswith("# wrong")
}
"""The numbers of the wrong lines."""
