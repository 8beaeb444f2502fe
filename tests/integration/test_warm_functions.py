"""Each built function stays up over many events: right ones, wrong ones, and those of a copy of its snapshot."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from backing import local_stack
from build_function import ROOT
from emulator import EmulatedFunction
from run_event import DEFAULT_EVENTS, as_if_sent_now, variables_of
from tests.integration.host_functions import STACK

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from emulator import BuiltFunction, Runtime
    from tests.integration.host_functions import HostFunctions

pytestmark = pytest.mark.build

EVENTS = ROOT / "tests" / "events"
ALL_EVENTS = sorted(path.stem for path in EVENTS.glob("*.json"))
RESTORED_COPY = Path(__file__).with_name("restored_copy.py")
WRONG_EVENTS: dict[str, dict[str, Any]] = {
    "console_test": {"key1": "value1", "key2": "value2", "key3": "value3"},
    "payload_1_0": {
        "version": "1.0", "httpMethod": "GET", "path": "/health", "headers": {},
        "requestContext": {"apiId": "abcdefghij", "httpMethod": "GET", "path": "/health"},
    },
    "load_balancer": {
        "httpMethod": "GET", "path": "/health", "headers": {}, "body": "", "isBase64Encoded": False,
        "requestContext": {"elb": {"targetGroupArn": "arn:aws:elasticloadbalancing:example"}},
    },
}  # fmt: skip
SNAPSHOTS = ("ApiFunction", "StripeCallerFunction", "ReconcileFunction", "OperatorFunction")
"""The functions with SnapStart. The flow runner has none, because its name in the groups is made at its start."""


@pytest.fixture(scope="module")
def services() -> Iterator[dict[str, str]]:
    with local_stack() as variables:
        yield variables


@pytest.fixture(scope="module", params=DEFAULT_EVENTS)
def built(request: pytest.FixtureRequest, host: HostFunctions) -> BuiltFunction:
    return host.built(request.param)


@pytest.fixture(scope="module")
def warm(
    built: BuiltFunction, host: HostFunctions, services: Mapping[str, str]
) -> Iterator[EmulatedFunction]:
    """One environment, which answers all events of this file in turn."""
    environment = variables_of(built, STACK, services)
    with EmulatedFunction(built, host.runtime, environment) as function:
        function.invoke({})  # starts it
        yield function


def example(name: str) -> dict[str, Any]:
    return as_if_sent_now(json.loads((EVENTS / f"{name}.json").read_text()))


@pytest.mark.parametrize("event", ALL_EVENTS)
def test_a_warm_function_answers_every_event_twice_and_lives_on(
    warm: EmulatedFunction, event: str
) -> None:
    """An event of another function is refused by name. It never ends the process, which would start anew."""
    for _ in range(2):
        answer = warm.invoke(example(event))
        if answer.failed:
            assert answer.body["errorType"] == "UnexpectedEvent", answer.body

    own = warm.invoke(example(DEFAULT_EVENTS[warm.function.name].removesuffix(".json")))
    assert not own.failed, own.body


@pytest.mark.parametrize("event", WRONG_EVENTS)
def test_a_wrong_event_gets_one_clear_line(warm: EmulatedFunction, event: str) -> None:
    said = message_of(warm.invoke(WRONG_EVENTS[event]).body)

    assert said
    assert "\n" not in said
    assert "Traceback" not in said


def message_of(body: dict[str, Any]) -> str:
    """Return the message of a refusal: of the function, in an HTTP answer, or of the operators' function."""
    if "errorMessage" in body:
        return str(body["errorMessage"])
    answer = json.loads(body["body"]) if "body" in body else body
    return str(answer["error"]["message"])


@pytest.mark.parametrize("name", SNAPSHOTS)
def test_two_copies_of_a_snapshot_answer_and_share_nothing(
    name: str, host: HostFunctions, services: Mapping[str, str], tmp_path: Path
) -> None:
    function = host.built(name)
    event = tmp_path / "event.json"
    event.write_text(json.dumps(example(DEFAULT_EVENTS[name].removesuffix(".json"))))

    one, two = copies_of(function, host.runtime, variables_of(function, STACK, services), event)

    assert one["drawn"] != two["drawn"]
    assert one["id"] != two["id"]
    assert one["sockets"] == two["sockets"] == []
    assert one["answer"] is not None
    assert two["answer"] is not None


def test_two_copies_of_the_api_give_their_requests_different_ids(
    host: HostFunctions, services: Mapping[str, str], tmp_path: Path
) -> None:
    function = host.built("ApiFunction")
    event = example("api_create_payment_intent")
    event["headers"].pop("idempotency-key", None)
    path = tmp_path / "event.json"
    path.write_text(json.dumps(event))

    copies = copies_of(function, host.runtime, variables_of(function, STACK, services), path)

    assert [copy["answer"]["statusCode"] for copy in copies] == [202, 202]
    assert len({json.loads(copy["answer"]["body"])["request_id"] for copy in copies}) == 2


def copies_of(
    function: BuiltFunction, runtime: Runtime, variables: Mapping[str, str], event: Path
) -> list[dict[str, Any]]:
    """Start the function once with its own libraries alone, and return what its two copies printed."""
    environment = {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "PYTHONPATH": f"{function.directory}:{runtime.libraries}",
        "PYTHONDONTWRITEBYTECODE": "1",
        "LAMBDA_TASK_ROOT": str(function.directory),
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
    } | dict(variables)
    done = subprocess.run(
        [runtime.python, "-S", str(RESTORED_COPY), function.handler, str(event)],
        cwd=function.directory, env=environment, check=False, text=True, capture_output=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return [line for line in lines if "drawn" in line]
