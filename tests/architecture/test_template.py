"""The promises of template.yaml that no edit may break."""

from __future__ import annotations

import re
import tomllib
from fnmatch import fnmatchcase as fnmatch
from typing import Any

import pytest
from cfnlint.api import lint
from cfnlint.rules import RulesCollection
from stack_template import TEMPLATE, load
from tests.architecture.chosen_stack import choose

from paydispatch.adapters.aws.errors import LONGEST_SEAL_S
from paydispatch.adapters.aws.functions import LONGEST_RUN_S
from paydispatch.adapters.aws.sqs_sends import LONGEST_SEND_S
from paydispatch.adapters.redis.connection import ANSWER_TIMEOUT_S, CONNECT_TIMEOUT_S
from paydispatch.domain.identity.principal import QUEUE
from paydispatch.domain.identity.request_ids import new_request_id
from paydispatch.domain.limits import LONGEST_DEADLINE_S, QUEUE_BATCH_LIMIT
from paydispatch.domain.looks.messages import EventMessage, read_look_message
from paydispatch.domain.rates.lanes import LANES, LONGEST_WAIT_S
from paydispatch.domain.rates.limits import DefaultLimits
from paydispatch.handlers.flow_runner import STOPPING_TIME_S
from paydispatch.handlers.operators import SLICE
from paydispatch.handlers.reconciler import OPERATOR_SLICE_S
from paydispatch.handlers.reconciler import STOPPING_TIME_S as RECONCILE_STOPPING_TIME_S
from paydispatch.services.redrive import MOST_HELD
from paydispatch.settings import (
    ApiSettings,
    CallerSettings,
    OperatorSettings,
    ReconcilerSettings,
    RunnerSettings,
    default_limits,
    lane_rules,
)

ROOT = TEMPLATE.parent
TEMPLATE_OF_ALL = load()
STACK = choose(TEMPLATE_OF_ALL, StripeEventBus="aws.partner/stripe.com/x")
"""The stack with the defaults of its parameters, and with Stripe's events."""


class SettingsOfCommands:
    """What the operator's function reads at its start and for its commands."""

    @staticmethod
    def from_env(environment: Any) -> None:
        OperatorSettings.from_env(environment)
        CallerSettings.from_env(environment)


SETTINGS = {
    "ApiFunction": ApiSettings,
    "StripeCallerFunction": CallerSettings,
    "ReconcileFunction": ReconcilerSettings,
    "FlowRunnerFunction": RunnerSettings,
    "OperatorFunction": SettingsOfCommands,
}
FOR_ALL_FUNCTIONS = {"REDIS_URL", "REQUEST_QUEUE_URL", "BATCH_QUEUE_URL", "QUEUE_TENANT"}
NEVER_SENDS_TO = {
    "ReconcileFunction": {"RequestQueue", "BatchQueue"},
    "StripeCallerFunction": {"ExhaustedQueue"},
    "OperatorFunction": {"RequestDeadLetterQueue", "LookQueue"},
}
"""The reconciler settles requests that were sent. If it sent a create itself, that would be a second effect.

The exhausted queue gets its messages from SQS alone. The operator's function reads the dead-letter queue, and counts
the messages of the look queue.
"""
HTTP_API_LIMIT_S = 30
LIMIT_PARAMETERS = ("StripeLimitLive", "StripeLimitSandbox", "StripeLimitOperation")
REQUEST_QUEUES = ("RequestQueue", "BatchQueue")


class ReadVariables(dict[str, str]):
    """An environment that records the names of the variables that are read."""

    def __init__(self, names: set[str]) -> None:
        no_numbers = {
            "REDIS_ALLOW_EVICTION": "false",
            "REDIS_URL": "rediss://host",
            "STRIPE_API_BASE": "https://host",
            "WARM_OPERATIONS": "",
            "RATE_SHARE_BATCH": "0.8",
            "RATE_WAIT_BATCH_S": "1",
            "RATE_WAIT_INTERACTIVE_S": "2",
        }
        super().__init__({name: no_numbers.get(name, "30") for name in names})
        self.asked: set[str] = set()

    def get(self, name: str, default: Any = None) -> Any:
        self.asked.add(name)
        return super().get(name, default)


DEFAULT_READ_TIMEOUT_S = CallerSettings.from_env(
    ReadVariables({"REQUEST_QUEUE_URL", "DEAD_LETTER_QUEUE_URL", "REDIS_URL"})
).stripe_read_timeout_s


def our_rules(template: str) -> list[str]:
    """Return the ids of the project's own rules that `template` breaks."""
    rules = RulesCollection()
    rules.create_from_directory(str(ROOT / "tools" / "cfn_rules"))
    return [match.rule.id for match in lint(template, rules, ["us-east-1"])]


def statements_of(function: str) -> list[dict[str, Any]]:
    return [
        statement
        for policy in STACK.functions[function]["Policies"]
        for statement in policy["Statement"]
    ]


def actions_of(statement: dict[str, Any]) -> list[str]:
    actions = statement["Action"]
    return [actions] if isinstance(actions, str) else actions


def principals_of(statement: dict[str, Any]) -> list[dict[str, Any]]:
    principals = statement["Principal"]["AWS"]
    return principals if isinstance(principals, list) else [principals]


def allowed_actions(function: str) -> set[str]:
    return {action for statement in statements_of(function) for action in actions_of(statement)}


def test_the_template_breaks_none_of_our_rules() -> None:
    assert our_rules(TEMPLATE.read_text()) == []


@pytest.mark.parametrize(
    ("line", "instead", "rule"),
    [
        (
            r"deadLetterTargetArn: !GetAtt DoorbellDead",
            "deadLetterTargetArn: !GetAtt Dead",
            "E9001",
        ),
        (r"MessageRetentionPeriod: 1209600", "MessageRetentionPeriod: 345600", "E9001"),
        (r"maxReceiveCount: 5", "maxReceiveCount: 4", "E9001"),
        (r"VisibilityTimeout: 720", "VisibilityTimeout: 719", "E9002"),
        (r"VisibilityTimeout: 1800", "", "E9002"),
        (r"FunctionResponseTypes: \[ReportBatchItemFailures\]", "", "E9003"),
        (r"Type: Schedule", "Type: SQS", "E9004"),
        (r"{ RetentionInDays: !Ref LogRetentionDays }", "{}", "E9005"),
        (r"LoggingConfig: { LogGroup: !Ref ApiLogs }", "", "E9006"),
    ],
)
def test_a_template_that_breaks_a_rule_is_refused(line: str, instead: str, rule: str) -> None:
    broken, changes = re.subn(line, instead, TEMPLATE.read_text())

    assert changes
    assert rule in our_rules(broken)


def test_the_api_has_the_routes_of_the_contract() -> None:
    routes = {route["RouteKey"] for route in STACK.of_type("AWS::ApiGatewayV2::Route").values()}

    assert routes == {
        "POST /v1/{proxy+}",
        "DELETE /v1/{proxy+}",
        "GET /v1/requests/{request_id}",
        "POST /v1/stripe/events/{name}",
        "POST /v1/stripe/events/{tenant}/{name}",
        "GET /v1/openapi.json",
        "GET /health",
    }


def test_every_route_except_health_the_document_and_signed_events_needs_authentication() -> None:
    routes = STACK.of_type("AWS::ApiGatewayV2::Route").values()
    open_routes = [route["RouteKey"] for route in routes if route["AuthorizationType"] == "NONE"]

    assert open_routes == [
        "POST /v1/stripe/events/{name}",
        "POST /v1/stripe/events/{tenant}/{name}",
        "GET /v1/openapi.json",
        "GET /health",
    ]
    assert all("AuthorizationType" in route for route in routes)
    assert STACK.environment("ApiFunction")["SIGN_IN"] == "required"


@pytest.mark.parametrize(
    ("action", "principals"),
    [
        ("kms:Decrypt", ["StripeCallerFunctionRole", "ReconcileFunctionRole"]),
        ("kms:ReEncryptFrom", []),
        ("kms:CreateGrant", []),
        ("kms:GenerateDataKey", ["the account", "ApiFunctionRole"]),
        ("kms:PutKeyPolicy", ["the account"]),
    ],
)
def test_the_key_policy_names_every_principal_that_may_use_the_sealing_key(
    action: str, principals: list[str]
) -> None:
    policy = STACK.resources["SealingKey"]["Properties"]["KeyPolicy"]["Statement"]
    named = [
        principal.get("Fn::GetAtt", ["the account"])[0]
        for statement in policy
        if statement["Effect"] == "Allow"
        if any(fnmatch(action, pattern) for pattern in actions_of(statement))
        for principal in principals_of(statement)
    ]

    assert named == principals


def test_no_function_has_a_right_to_the_key_beside_the_key_s_own_policy() -> None:
    assert not [name for name in STACK.functions if any("kms:" in a for a in allowed_actions(name))]


def test_a_direct_producer_may_seal_only_as_the_queue_principal() -> None:
    policy = STACK.resources["ProducerPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    conditions = [s.get("Condition") for s in policy if "kms:GenerateDataKey" in actions_of(s)]

    assert conditions == [{"StringEquals": {"kms:EncryptionContext:principal": QUEUE}}]


def test_the_sealing_key_rotates() -> None:
    assert STACK.resources["SealingKey"]["Properties"]["EnableKeyRotation"] is True


def test_only_the_caller_and_the_reconciler_read_stripe_keys_and_the_api_only_signing_secrets() -> (
    None
):
    readers = [
        (name, statement["Resource"]["Fn::Sub"].partition(":secret:")[2])
        for name in STACK.functions
        for statement in statements_of(name)
        if "secretsmanager:GetSecretValue" in actions_of(statement)
    ]

    assert readers == [
        ("ApiFunction", "paydispatch/*/webhook/*"),
        ("StripeCallerFunction", "paydispatch/*"),
        ("ReconcileFunction", "paydispatch/*"),
    ]


@pytest.mark.parametrize("function", STACK.functions)
def test_no_function_has_a_wildcard_action_or_resource(function: str) -> None:
    assert not any("*" in action for action in allowed_actions(function))
    assert all(statement["Resource"] != "*" for statement in statements_of(function))


@pytest.mark.parametrize("function", STACK.functions)
def test_a_function_may_use_the_queues_its_environment_names(function: str) -> None:
    """A function sends to each of these queues. It needs no URL for a queue that it only receives from."""
    named = {
        value["Ref"] for key, value in STACK.environment(function).items() if "QUEUE_URL" in key
    }
    may_send_to = {
        arn["Fn::GetAtt"][0]
        for statement in statements_of(function)
        if "sqs:SendMessage" in actions_of(statement)
        for arn in statement["Resource"]
    }

    assert named - NEVER_SENDS_TO.get(function, set()) == may_send_to


@pytest.mark.parametrize(("function", "settings"), SETTINGS.items())
def test_a_function_has_the_variables_it_needs_and_no_others(function: str, settings: Any) -> None:
    given = set(STACK.environment(function))
    environment = ReadVariables(given)

    settings.from_env(environment)

    assert {name for name in given if not name.startswith("POWERTOOLS_")} <= (
        environment.asked | FOR_ALL_FUNCTIONS
    )


def test_powertools_never_logs_whole_events() -> None:
    """An event may hold a Stripe key."""
    assert not any("LOG_EVENT" in name for f in STACK.functions for name in STACK.environment(f))


def test_the_functions_count_receives_as_the_queues_do() -> None:
    counted = int(STACK.environment("StripeCallerFunction")["MAX_RECEIVES"])
    redrives = [STACK.queues[name]["RedrivePolicy"] for name in REQUEST_QUEUES]

    assert all(redrive["maxReceiveCount"] == counted for redrive in redrives)


@pytest.mark.parametrize("queue", REQUEST_QUEUES)
def test_a_queue_keeps_messages_longer_than_the_longest_deadline(queue: str) -> None:
    assert STACK.queues[queue]["MessageRetentionPeriod"] > LONGEST_DEADLINE_S


@pytest.mark.parametrize("queue", REQUEST_QUEUES)
def test_dead_letters_are_kept_for_longer_than_requests(queue: str) -> None:
    """SQS does not restart the retention period when it moves a message to the dead-letter queue."""
    kept_s = STACK.queues["RequestDeadLetterQueue"]["MessageRetentionPeriod"]

    assert kept_s > STACK.queues[queue]["MessageRetentionPeriod"]


@pytest.mark.parametrize("queue", REQUEST_QUEUES)
def test_what_sqs_gives_up_goes_through_a_queue_that_the_caller_reads(queue: str) -> None:
    target = STACK.queues[queue]["RedrivePolicy"]["deadLetterTargetArn"]["Fn::GetAtt"][0]
    (source,) = (
        mapping
        for mapping in STACK.of_type("AWS::Lambda::EventSourceMapping").values()
        if mapping["EventSourceArn"]["Fn::GetAtt"][0] == target
    )

    assert source["FunctionName"] == {"Ref": "StripeCallerFunction.Alias"}
    assert STACK.environment("StripeCallerFunction")["EXHAUSTED_QUEUE_URL"] == {"Ref": target}
    last = STACK.queues[target]["RedrivePolicy"]["deadLetterTargetArn"]["Fn::GetAtt"][0]
    assert last == "RequestDeadLetterQueue"


def test_the_api_function_times_out_before_the_http_api() -> None:
    assert STACK.functions["ApiFunction"]["Timeout"] < HTTP_API_LIMIT_S


def test_the_api_function_answers_in_time_although_every_service_is_slow() -> None:
    """The slowest create seals with KMS, claims in Redis, sends to SQS and writes to Redis again."""
    redis_s = CONNECT_TIMEOUT_S + ANSWER_TIMEOUT_S

    longest_s = LONGEST_SEAL_S + redis_s + LONGEST_SEND_S + redis_s

    assert longest_s < STACK.functions["ApiFunction"]["Timeout"] - 1


def test_the_stripe_caller_s_timeout_exceeds_the_read_timeout_of_stripe() -> None:
    assert STACK.functions["StripeCallerFunction"]["Timeout"] > DEFAULT_READ_TIMEOUT_S + 10


def test_the_stripe_caller_has_time_for_the_longest_wait_and_the_longest_call() -> None:
    longest_s = LONGEST_WAIT_S + DEFAULT_READ_TIMEOUT_S

    assert STACK.functions["StripeCallerFunction"]["Timeout"] > longest_s + 10
    for parameter in ("RateWaitInteractiveS", "RateWaitBatchS"):
        assert STACK.parameters[parameter]["MaxValue"] == LONGEST_WAIT_S


def test_the_default_limits_and_waits_of_the_stack_are_those_of_the_code() -> None:
    names = {
        name
        for name in STACK.environment("StripeCallerFunction")
        if name.startswith(("STRIPE_LIMIT_", "RATE_"))
    }
    values = {
        name: str(STACK.parameters[_parameter(function, name)]["Default"])
        for name in names
        for function in ("StripeCallerFunction", "ReconcileFunction")
    }

    assert len(names) == 6
    assert default_limits(values) == DefaultLimits()
    assert lane_rules(values) == LANES


def _parameter(function: str, variable: str) -> str:
    """Return the name of the parameter that a variable of a function refers to."""
    return str(STACK.environment(function)[variable]["Ref"])


@pytest.mark.parametrize("text", ["off", "1", "100", "999999"])
def test_a_limit_of_the_stack_is_off_or_whole_calls_per_second(text: str) -> None:
    for name in LIMIT_PARAMETERS:
        assert re.fullmatch(STACK.parameters[name]["AllowedPattern"], text)
    default_limits({"STRIPE_LIMIT_LIVE": text})


@pytest.mark.parametrize("text", ["", "0", "0.5", "-1", "OFF", "1e3", "025"])
def test_the_stack_refuses_any_other_limit(text: str) -> None:
    for name in LIMIT_PARAMETERS:
        assert not re.fullmatch(STACK.parameters[name]["AllowedPattern"], text)


def test_the_flow_runner_has_time_for_at_least_one_flow() -> None:
    flow_s = float(STACK.environment("FlowRunnerFunction")["FLOW_TIMEOUT_S"])

    assert STACK.functions["FlowRunnerFunction"]["Timeout"] > flow_s + STOPPING_TIME_S


def test_every_queue_refuses_requests_without_tls() -> None:
    policies = [
        policy["Properties"]
        for policy in STACK.resources.values()
        if policy["Type"] == "AWS::SQS::QueuePolicy"
    ]

    named = [queue["Ref"] for policy in policies for queue in policy["Queues"]]
    assert sorted(named) == sorted(STACK.queues)  # each once, because a queue has one policy
    for policy in policies:
        refused, _, *_ = policy["PolicyDocument"]["Statement"]
        assert refused["Effect"] == "Deny"
        assert refused["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_eventbridge_sends_only_the_names_of_an_event_of_our_requests() -> None:
    rule = TEMPLATE_OF_ALL.resources["StripeEvents"]
    (target,) = rule["Properties"]["Targets"]
    transformer = target["InputTransformer"]
    template = transformer["InputTemplate"]
    event = {
        "id": "evt_1",
        "type": "coupon.created",
        "account": "",  # an event of the destination's own account names none
        "livemode": "false",
        "created": "1800000000",
        "key": "pdr_1",
    }
    assert set(transformer["InputPathsMap"]) == event.keys()
    for name, value in event.items():
        template = template.replace(f"<{name}>", value)
    assert rule["Condition"] == "WithStripeEventBus"
    assert read_look_message(template) == EventMessage(
        event_id="evt_1",
        type="coupon.created",
        request_id="pdr_1",
        account=None,
        livemode=False,
        created=1_800_000_000.0,
    )
    (pattern,) = rule["Properties"]["EventPattern"]["detail"]["request"]["idempotency_key"]
    assert new_request_id(0.0).startswith(pattern["prefix"])


def test_only_the_rule_of_stripe_s_events_may_send_to_the_look_queue_from_outside() -> None:
    statements = STACK.resources["LookQueuePolicy"]["Properties"]["PolicyDocument"]["Statement"]
    (allowed,) = (s for s in statements if s["Effect"] == "Allow")
    assert allowed["Condition"]["ArnEquals"]["aws:SourceArn"]["Fn::GetAtt"][0] == "StripeEvents"
    assert allowed["Resource"]["Fn::GetAtt"][0] == "LookQueue"


def test_the_operator_s_function_outlasts_each_run_of_a_command() -> None:
    timeout_s = STACK.functions["OperatorFunction"]["Timeout"]
    lookup_s = OPERATOR_SLICE_S + RECONCILE_STOPPING_TIME_S
    release_s = MOST_HELD / QUEUE_BATCH_LIMIT * 0.03

    assert lookup_s + 60 < timeout_s
    assert SLICE.seconds + release_s + 60 < timeout_s
    assert timeout_s < LONGEST_RUN_S  # so that a command hears the function's own end


def test_the_reconciler_is_invoked_by_the_operator_s_function_alone() -> None:
    assert STACK.environment("OperatorFunction")["RECONCILE_FUNCTION"] == {
        "Ref": "ReconcileFunction.Alias"
    }
    assert STACK.outputs["OperatorFunctionName"]["Value"] == {"Ref": "OperatorFunction.Alias"}


def test_no_parameter_shows_the_password_of_redis() -> None:
    assert STACK.parameters["RedisUrl"]["NoEcho"] is True


def test_the_outputs_name_every_variable_that_an_operator_s_commands_need() -> None:
    """A command needs the caller's queues and their tenant. Without them it looks at other queues."""
    caller = STACK.environment("StripeCallerFunction")
    needed = {name: value for name, value in caller.items() if "QUEUE" in name}
    said = {out["Description"].split(",")[0]: out["Value"] for out in STACK.outputs.values()}

    assert "QUEUE_TENANT" in needed
    assert {name: said.get(name) for name in needed} == needed


def test_the_queue_s_tenant_is_by_default_the_aws_account() -> None:
    assert STACK.parameters["QueueTenant"]["Default"] == ""
    tenant = TEMPLATE_OF_ALL.environment("ApiFunction")["QUEUE_TENANT"]
    assert tenant["Fn::If"][1:] == [{"Ref": "QueueTenant"}, {"Ref": "AWS::AccountId"}]


@pytest.mark.parametrize(("function", "settings"), SETTINGS.items())
def test_every_function_reads_the_queue_s_tenant(function: str, settings: Any) -> None:
    """The tenant is part of every name in Redis, so functions with different tenants do not share requests."""
    environment = ReadVariables(set(STACK.environment(function)))

    settings.from_env(environment)

    assert "QUEUE_TENANT" in environment.asked


@pytest.mark.parametrize("function", STACK.functions)
def test_a_function_has_its_handler_its_libraries_and_its_build_target(function: str) -> None:
    package, module, name = STACK.functions[function]["Handler"].split(".")
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]

    entry_point = (ROOT / "functions" / package / f"{module}.py").read_text()
    assert re.search(rf"^ *{name} = ", entry_point, re.MULTILINE)
    assert package in groups
    assert f"build-{function}:" in (ROOT / "infra" / "build.mk").read_text()
