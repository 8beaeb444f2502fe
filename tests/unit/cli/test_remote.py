"""`--stack` finds the function of a stack, and says in one line why it cannot use it."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.stub import Stubber
from tests.unit.examples import KEY

from paydispatch.adapters.aws.functions import invoke
from paydispatch.adapters.aws.stack_outputs import StackOutputs
from paydispatch.cli import remote
from paydispatch.cli.main import main
from paydispatch.cli.remote import OperatorFunction
from paydispatch.domain.errors import NotPermitted, PaydispatchError, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from botocore.response import StreamingBody

NO_ONE: dict[str, Any] = {
    "region_name": "eu-central-1",
    "aws_access_key_id": "a",
    "aws_secret_access_key": "b",
}
ARN = "arn:aws:lambda:eu-central-1:111122223333:function:shop-Operator:live"
CALLER = "arn:aws:iam::111122223333:user/ada"


@pytest.fixture
def functions() -> Any:
    return boto3.client("lambda", **NO_ONE)


@pytest.fixture
def stub(functions: Any) -> Stubber:
    made = Stubber(functions)
    made.activate()
    return made


def answer(payload: bytes, **more: Any) -> dict[str, Any]:
    body: StreamingBody | io.BytesIO = io.BytesIO(payload)
    return {"StatusCode": 200, "Payload": body, **more}


def test_the_document_of_the_function_comes_back(functions: Any, stub: Stubber) -> None:
    event = {"command": "status", "arguments": {"request_id": "pdr_1"}, "caller": CALLER}
    asked = {"FunctionName": ARN, "Payload": json.dumps(event).encode()}
    stub.add_response("invoke", answer(b'{"document": {"request": null}}'), asked)

    function = OperatorFunction(functions, ARN, CALLER)

    assert function.run("status", {"request_id": "pdr_1"}) == {"request": None}


def test_an_error_of_the_function_keeps_its_sentence(functions: Any, stub: Stubber) -> None:
    stub.add_response("invoke", answer(b'{"error": {"code": "x", "message": "limit: too high."}}'))

    with pytest.raises(PaydispatchError, match=r"^limit: too high\.$"):
        OperatorFunction(functions, ARN, CALLER).run("limits set", {})


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (
            answer(b'{"errorMessage": "Task timed out after 300.00 s"}', FunctionError="Unhandled"),
            "The function shop-Operator:live failed: Task timed out after 300.00 s",
        ),
        (answer(b"null", FunctionError="Unhandled"), "failed: None"),
        (
            answer(json.dumps({"errorMessage": KEY}).encode(), FunctionError="Unhandled"),
            "failed: sk_test_[hidden]",
        ),
        (answer(b"<html>"), "gave no JSON object"),
        (answer(b"[1]"), "gave no JSON object"),
    ],
)
def test_a_function_that_fails_is_unavailable(
    functions: Any, stub: Stubber, said: dict[str, Any], why: str
) -> None:
    stub.add_response("invoke", said)

    with pytest.raises(Unavailable) as raised:
        invoke(functions, ARN, {})

    assert why in str(raised.value)


@pytest.mark.parametrize(
    ("code", "error"),
    [("AccessDeniedException", NotPermitted), ("TooManyRequestsException", Unavailable)],
)
def test_a_refusal_of_aws_says_which(
    functions: Any, stub: Stubber, code: str, error: type[Exception]
) -> None:
    stub.add_client_error("invoke", code, "not now")

    with pytest.raises(error, match=f"Invoke: {code}: not now"):
        invoke(functions, ARN, {})


def test_the_function_of_a_stack_is_asked_in_the_name_of_the_credentials(
    monkeypatch: pytest.MonkeyPatch, functions: Any
) -> None:
    output = {"OutputKey": "OperatorFunctionName", "OutputValue": ARN}
    connect(monkeypatch, lambda stacks: stacks.add_response("describe_stacks", described(output)))
    sts = boto3.client("sts", **NO_ONE)
    named = Stubber(sts)
    named.add_response("get_caller_identity", {"Arn": CALLER})
    named.activate()
    clients = {"sts": sts, "lambda": functions}

    class Session:
        def client(self, service: str, **_: Any) -> Any:
            return clients[service]

    monkeypatch.setattr(boto3, "Session", Session)

    assert remote.connect("shop") == OperatorFunction(functions, ARN, CALLER)


def test_a_stack_without_the_function_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    connect(monkeypatch, lambda stacks: stacks.add_response("describe_stacks", described()))

    assert main(["limits", "show", "--stack", "shop"]) == 2

    assert capsys.readouterr().err == (
        "paydispatch: The stack 'shop' has no output OperatorFunctionName. "
        "Deploy this version of it first.\n"
    )


def test_a_stack_that_does_not_exist_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = "Stack with id shop does not exist"
    connect(
        monkeypatch,
        lambda stacks: stacks.add_client_error("describe_stacks", "ValidationError", missing),
    )

    assert main(["doctor", "--stack", "shop"]) == 2

    assert "there is no 'shop'" in capsys.readouterr().err


def connect(monkeypatch: pytest.MonkeyPatch, answers: Callable[[Stubber], None]) -> None:
    """Give CloudFormation these answers."""
    client = boto3.client("cloudformation", **NO_ONE)
    stub = Stubber(client)
    answers(stub)
    stub.activate()
    secrets: Any = None
    monkeypatch.setattr(remote, "stack_outputs", lambda: StackOutputs(client, secrets))


def described(*outputs: dict[str, str]) -> dict[str, Any]:
    stack = {"StackName": "shop", "CreationTime": 0, "StackStatus": "CREATE_COMPLETE"}
    return {"Stacks": [{**stack, "Outputs": list(outputs)}]}
