"""Who may seal, open, send and receive: the policies of the key, the queues and the functions, decided as by IAM."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from stack_template import load
from tests.architecture.chosen_stack import choose
from tests.architecture.iam_policies import Caller, is_allowed, is_denied

STACK = choose(load(), StripeEventBus="aws.partner/stripe.com/x")
KEY = STACK.resources["SealingKey"]["Properties"]["KeyPolicy"]["Statement"]
API, CALLER, RECONCILER, RUNNER = (
    "ApiFunctionRole",
    "StripeCallerFunctionRole",
    "ReconcileFunctionRole",
    "FlowRunnerFunctionRole",
)
OPERATOR = "OperatorFunctionRole"
PRODUCER = "a-role-with-every-right"
READERS = {
    "RequestQueue": {CALLER},
    "BatchQueue": {CALLER},
    "ExhaustedQueue": {CALLER},
    "LookQueue": {RECONCILER},
    "DoorbellQueue": {RUNNER},
}
"""The roles that may take messages away. An operator reads the dead-letter queues."""

SENDERS = {
    "ExhaustedQueue": set(),
    "RequestDeadLetterQueue": {CALLER},
    "LookDeadLetterQueue": set(),
    "DoorbellDeadLetterQueue": set(),
}
"""The only roles that may send. Programs and operators of the account may have a right to send to the other queues."""

EVERYBODY = {API, CALLER, RECONCILER, RUNNER, OPERATOR, PRODUCER}


def policy_of(queue: str) -> list[dict[str, Any]]:
    (policy,) = (
        policy
        for policy in STACK.of_type("AWS::SQS::QueuePolicy").values()
        if {"Ref": queue} in policy["Queues"]
    )
    statements: list[dict[str, Any]] = policy["PolicyDocument"]["Statement"]
    return statements


# The key


@pytest.mark.parametrize(
    ("role", "principal", "may"),
    [
        (API, "shop/checkout", True),
        (API, "queue", True),
        (PRODUCER, "queue", True),
        (PRODUCER, "shop/checkout", False),
        (PRODUCER, None, False),
        (CALLER, "shop/checkout", False),
        (RUNNER, "shop/checkout", False),
        (OPERATOR, "shop/checkout", False),
    ],
)
def test_only_the_api_seals_in_the_name_of_another_than_the_queue(
    role: str, principal: str | None, may: bool
) -> None:
    caller = Caller(role, context={} if principal is None else {"principal": principal})

    assert is_allowed(KEY, "kms:GenerateDataKey", caller) is may


@pytest.mark.parametrize(
    "role, may",  # noqa: PT006
    [
        (CALLER, True),
        (RECONCILER, True),
        (API, False),
        (RUNNER, False),
        (OPERATOR, False),
        (PRODUCER, False),
    ],
)
def test_only_the_caller_and_the_reconciler_open(role: str, may: bool) -> None:
    caller = Caller(role, context={"principal": "shop/checkout"})

    assert is_allowed(KEY, "kms:Decrypt", caller) is may
    assert is_denied(KEY, "kms:Decrypt", caller) is not may  # also if a grant allowed it


@pytest.mark.parametrize("action", ["kms:ReEncryptFrom", "kms:CreateGrant", "kms:Encrypt"])
@pytest.mark.parametrize("role", sorted(EVERYBODY))
def test_nobody_uses_the_key_otherwise(action: str, role: str) -> None:
    assert not is_allowed(KEY, action, Caller(role, context={"principal": "queue"}))


@pytest.mark.parametrize("action", ["kms:Decrypt", "kms:GenerateDataKey", "kms:PutKeyPolicy"])
def test_nobody_uses_the_key_from_another_account_or_without_tls(action: str) -> None:
    context = {"principal": "queue"}

    assert not is_allowed(KEY, action, Caller(PRODUCER, own_account=False, context=context))
    for role in EVERYBODY:
        assert is_denied(KEY, action, Caller(role, tls=False, context=context))


# The queues


@pytest.mark.parametrize("queue", STACK.queues)
@pytest.mark.parametrize("action", ["sqs:SendMessage", "sqs:ReceiveMessage", "sqs:PurgeQueue"])
def test_no_queue_is_used_without_tls_or_from_another_account(queue: str, action: str) -> None:
    policy = policy_of(queue)

    assert is_denied(policy, action, Caller(PRODUCER, own_account=False))
    for role in EVERYBODY:
        assert is_denied(policy, action, Caller(role, tls=False))


@pytest.mark.parametrize("queue", READERS)
@pytest.mark.parametrize("action", ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:PurgeQueue"])
def test_only_its_function_takes_messages_from_a_queue(queue: str, action: str) -> None:
    may = {role for role in EVERYBODY if not is_denied(policy_of(queue), action, Caller(role))}

    assert may == READERS[queue]


@pytest.mark.parametrize("queue", STACK.queues)
def test_only_those_who_must_may_send(queue: str) -> None:
    may = {
        role
        for role in EVERYBODY
        if not is_denied(policy_of(queue), "sqs:SendMessage", Caller(role))
    }

    assert may == SENDERS.get(queue, EVERYBODY)


def test_only_the_rule_of_stripe_s_events_sends_from_outside_and_to_the_look_queue_alone() -> None:
    eventbridge = Caller("", own_account=False, service=True, source="StripeEvents")

    assert [
        queue
        for queue in STACK.queues
        if is_allowed(policy_of(queue), "sqs:SendMessage", eventbridge)
    ] == ["LookQueue"]
    another = replace(eventbridge, source="another rule")
    assert not is_allowed(policy_of("LookQueue"), "sqs:SendMessage", another)


# The functions


def rights_of(function: str) -> dict[str, set[str]]:
    """Return the queues or secrets on which a function may do each action."""
    rights: dict[str, set[str]] = {}
    for policy in STACK.functions[function]["Policies"]:
        for statement in policy["Statement"]:
            actions, on = statement["Action"], statement["Resource"]
            for action in actions if isinstance(actions, list) else [actions]:
                named = on if isinstance(on, list) else [on]
                rights.setdefault(action, set()).update(map(_resource, named))
    return rights


def _resource(arn: dict[str, Any]) -> str:
    if "Ref" in arn:
        return str(arn["Ref"])
    if "Fn::GetAtt" in arn:
        return str(arn["Fn::GetAtt"][0])
    return str(arn["Fn::Sub"]).partition(":secret:")[2]


SENDS, READS = "sqs:SendMessage", ("sqs:ReceiveMessage", "sqs:DeleteMessage")
ATTRIBUTES, SECRET = "sqs:GetQueueAttributes", "secretsmanager:GetSecretValue"
LANES = {"RequestQueue", "BatchQueue"}
HIDES, INVOKES = "sqs:ChangeMessageVisibility", "lambda:InvokeFunction"


def reads(*queues: str) -> dict[str, set[str]]:
    return {action: set(queues) for action in (*READS, ATTRIBUTES)}


@pytest.mark.parametrize(
    ("function", "rights"),
    [
        (
            "ApiFunction",
            {SENDS: LANES | {"LookQueue"}, SECRET: {"paydispatch/*/webhook/*"}},
        ),
        (
            "StripeCallerFunction",
            reads(*LANES, "ExhaustedQueue")
            | {
                SENDS: LANES | {"RequestDeadLetterQueue", "DoorbellQueue", "LookQueue"},
                SECRET: {"paydispatch/*"},
            },
        ),
        (
            "ReconcileFunction",
            reads("LookQueue") | {SENDS: {"DoorbellQueue", "LookQueue"}, SECRET: {"paydispatch/*"}},
        ),
        ("FlowRunnerFunction", reads("DoorbellQueue") | {SENDS: LANES}),
        (
            "OperatorFunction",
            {
                **{action: {"RequestDeadLetterQueue"} for action in (*READS, HIDES)},
                ATTRIBUTES: LANES | {"LookQueue", "RequestDeadLetterQueue"},
                SENDS: LANES | {"DoorbellQueue"},
                INVOKES: {"ReconcileFunction.Alias"},
            },
        ),
    ],
)
def test_a_function_has_exactly_these_rights(function: str, rights: dict[str, set[str]]) -> None:
    assert rights_of(function) == rights


def test_a_person_with_the_operator_s_policy_runs_commands_and_reaches_nothing_else() -> None:
    policy = STACK.resources["OperatorPolicy"]["Properties"]["PolicyDocument"]["Statement"]

    assert [(each["Action"], each["Resource"]) for each in policy] == [
        (INVOKES, {"Ref": "OperatorFunction.Alias"}),
        ("cloudformation:DescribeStacks", {"Ref": "AWS::StackId"}),
    ]
