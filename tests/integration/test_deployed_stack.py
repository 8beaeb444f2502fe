"""The built template, deployed with the flows of another project to an emulated AWS account, does what it is for.

`make deploy-here` deploys it. MiniStack has the queues, event source mappings, schedules and routes. The functions run
from their deployed zips under AWS's runtime interface emulator. The twin is Stripe.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import boto3
import pytest
from build_function import ROOT
from tests.integration.host_functions import STACK, UV

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

pytestmark = pytest.mark.build

T = TypeVar("T")
KEY = "sk_test_shop"
DEPLOYED_WITHIN_S = 1800
"""A build and a deployment take a minute of processor time. Other programs may keep the machine busy."""
DONE_WITHIN_S = 300
FLOWS = {
    "any_response": """
import humanize
def run(parsed_data, flow):
    print("done", flow.context_id, flow.operation, humanize.intcomma(1234567))
""",
    "any_error": """
def run(parsed_error, flow):
    print("failed", flow.context_id, parsed_error.code, parsed_error.certainty)
""",
    "new_create_product_response": """
def run(parsed_data, flow):
    print("product", flow.context_id)
    flow.new_price().currency("usd").unit_amount(500).product(parsed_data["id"]).create_async()
""",
}
HOLD = """
import json, os, pathlib, sys, time
pathlib.Path(sys.argv[1]).write_text(json.dumps(dict(os.environ)))
while not pathlib.Path(sys.argv[2]).exists():
    time.sleep(0.1)
"""
"""A program of the shop. It keeps the stack up until a file appears."""


@dataclass
class Shop:
    """A deployed stack with the flows of a shop, and the programs that use it."""

    environment: Mapping[str, str]
    output: Path

    def aws(self, service: str) -> Any:
        return boto3.client(
            service,  # type: ignore[call-overload]
            endpoint_url=self.environment["AWS_ENDPOINT_URL"],
            region_name=self.environment["AWS_DEFAULT_REGION"],
            aws_access_key_id=self.environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.environment["AWS_SECRET_ACCESS_KEY"],
        )

    def run(self, *command: str) -> str:
        """Run a Python program or module, and return its output."""
        done = subprocess.run(
            [sys.executable, *command], env=self.environment, check=False, text=True, capture_output=True
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    def dispatch(self, request: str, context: str, options: str = "") -> str:
        """Dispatch a request as a program with the SDK does, and return its id."""
        program = (
            "from paydispatch import *\n"
            "with Dispatcher.from_env():\n"
            f"    print({request}.create_async('shop', '{context}', '{KEY}'{options}).request_id)"
        )
        return self.run("-c", program).strip()

    def await_line(self, start: str) -> str:
        """Wait until a flow prints a line with this start, and return it."""
        return await_value(
            lambda: next((line for line in self.lines() if line.startswith(start)), None)
        )

    def lines(self) -> list[str]:
        return self.output.read_text().splitlines()

    def call_api(self, path: str, body: dict[str, Any] | None = None) -> tuple[int, Any]:
        """Call the API of the stack, by the path with which MiniStack finds it."""
        (api,) = self.aws("apigatewayv2").get_apis()["Items"]
        address = urlsplit(self.environment["AWS_ENDPOINT_URL"]).netloc
        with closing(HTTPConnection(address, timeout=DONE_WITHIN_S)) as connection:
            connection.request(
                "GET" if body is None else "POST",
                f"/_aws/execute-api/{api['ApiId']}/$default{path}",
                None if body is None else json.dumps(body),
                {"Content-Type": "application/json"},
            )
            answer = connection.getresponse()
            return answer.status, json.load(answer)


def await_value(find: Callable[[], T | None], within_s: float = DONE_WITHIN_S) -> T:
    deadline = time.monotonic() + within_s
    while (found := find()) is None:
        assert time.monotonic() < deadline, f"not within {within_s} s"
        time.sleep(0.1)
    return found


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """Deploy by the documented command. At the end the command must have ended well."""
    directory = tmp_path_factory.mktemp("shop")
    (directory / "flows").mkdir()
    for name, source in FLOWS.items():
        (directory / "flows" / f"{name}.py").write_text(source)
    (directory / "requirements.txt").write_text("humanize==4.11.0\n")
    (directory / "hold.py").write_text(HOLD)
    ready, end, output = (directory / name for name in ("ready", "end", "output"))
    program = f"{sys.executable} {directory / 'hold.py'} {ready} {end}"
    command = ["make", "--silent", "deploy-here", f"UV={UV}", f"PROGRAM={program}"]
    project = [f"FLOWS={directory / 'flows'}", f"REQUIREMENTS={directory / 'requirements.txt'}"]
    with output.open("w") as file:
        running = subprocess.Popen([*command, *project], cwd=ROOT, stdout=file)
        try:
            yield Shop(
                await_value(lambda: environment_in(ready, running), DEPLOYED_WITHIN_S), output
            )
            end.touch()
            assert running.wait(DONE_WITHIN_S) == 0
        finally:
            running.terminate()
            running.wait(DONE_WITHIN_S)


def environment_in(ready: Path, running: subprocess.Popen[bytes]) -> dict[str, str] | None:
    assert running.poll() is None, "make deploy-here failed"
    try:
        return dict(json.loads(ready.read_text()))
    except (FileNotFoundError, ValueError):  # not written yet
        return None


def test_every_mapping_of_the_template_is_deployed_with_its_batches(shop: Shop) -> None:
    wanted = STACK.of_type("AWS::Lambda::EventSourceMapping").values()

    deployed = shop.aws("lambda").list_event_source_mappings()["EventSourceMappings"]

    assert sorted(each["BatchSize"] for each in deployed) == sorted(
        each["BatchSize"] for each in wanted
    )
    assert all(each["FunctionArn"].endswith(":live") for each in deployed)
    assert all(each["FunctionResponseTypes"] == ["ReportBatchItemFailures"] for each in deployed)


def test_a_request_reaches_stripe_and_its_flow_of_the_project_with_its_library(shop: Shop) -> None:
    shop.dispatch("new_coupon().duration('once').percent_off(10)", "order-1")

    assert shop.await_line("done order-1") == "done order-1 create_coupon 1,234,567"


def test_a_request_of_the_batch_lane_reaches_its_flow(shop: Shop) -> None:
    shop.dispatch("new_coupon().duration('once').percent_off(5)", "order-2", ", lane='batch'")

    assert shop.await_line("done order-2")


def test_what_stripe_refuses_runs_the_error_flow(shop: Shop) -> None:
    shop.dispatch("new_payment_intent().amount(1).currency('usd').customer('cus_none')", "order-3")

    assert shop.await_line("failed order-3") == "failed order-3 resource_missing not_created"


def test_a_flow_dispatches_the_next_create(shop: Shop) -> None:
    shop.dispatch("new_product().name('Shoe')", "order-4")

    assert shop.await_line("product order-4")
    assert shop.await_line("done order-4") == "done order-4 create_price 1,234,567"


def test_a_message_that_nobody_can_read_is_parked_and_its_neighbour_is_done(shop: Shop) -> None:
    shop.aws("sqs").send_message(QueueUrl=shop.environment["REQUEST_QUEUE_URL"], MessageBody="{")
    shop.dispatch("new_coupon().duration('once').percent_off(20)", "order-5")

    assert shop.await_line("done order-5")
    assert await_value(lambda: parked(shop)) == ["{"]


def parked(shop: Shop) -> list[str] | None:
    answer = shop.aws("sqs").receive_message(
        QueueUrl=shop.environment["DEAD_LETTER_QUEUE_URL"], VisibilityTimeout=0
    )
    return [message["Body"] for message in answer.get("Messages", ())] or None


def test_an_operator_sees_a_request_by_the_name_of_the_stack_alone(shop: Shop) -> None:
    request_id = shop.dispatch("new_coupon().duration('once').percent_off(30)", "order-6")
    shop.await_line("done order-6")

    said = shop.run("-m", "paydispatch", "status", request_id, "--stack", "paydispatch")

    assert said.startswith(f"{request_id}  succeeded")


def test_an_operator_reconciles_by_the_name_of_the_stack_alone(shop: Shop) -> None:
    said = shop.run("-m", "paydispatch", "reconcile", "--stack", "paydispatch")

    assert "0 unknown" in said


def test_the_open_routes_answer_and_the_others_need_a_sign_in(shop: Shop) -> None:
    assert shop.call_api("/health") == (200, {"status": "ok"})
    assert shop.call_api("/v1/openapi.json")[1]["openapi"].startswith("3.1")
    status, body = shop.call_api("/v1/coupons", {"worker_id": "shop", "context_id": "order-7"})
    assert (status, body["error"]["code"]) == (401, "not_signed_in")


def test_the_schedules_of_the_template_call_the_aliases(shop: Shop) -> None:
    events = shop.aws("events")

    rules = {rule["Name"]: rule["ScheduleExpression"] for rule in events.list_rules()["Rules"]}
    targets = [
        target["Arn"]
        for name in rules
        for target in events.list_targets_by_rule(Rule=name)["Targets"]
    ]

    assert sorted(rules.values()) == ["rate(1 hour)", "rate(1 minute)"]
    assert all(target.endswith(":live") for target in targets)
    assert len(targets) == 2
