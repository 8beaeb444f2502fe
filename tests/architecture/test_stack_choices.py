"""What the stack contains with each choice of its parameters: flows, network, Redis, sign-in and concurrency."""

from __future__ import annotations

import re
from typing import Any

import pytest
from stack_template import TEMPLATE, load
from tests.architecture.chosen_stack import choose
from tests.architecture.redis_rights import ROOTS, commands_of

STACK = load()
INFRA = TEMPLATE.parent / "infra"
REDIS = load(INFRA / "redis.yaml")
RIGHTS = REDIS.mappings["Rights"]
DEFAULT = choose(STACK)
NEW_ACCOUNT_QUOTA = 10
"""The concurrent executions of a new AWS account."""
OPEN_ROUTES = {
    route["RouteKey"]
    for route in DEFAULT.of_type("AWS::ApiGatewayV2::Route").values()
    if route["AuthorizationType"] == "NONE"
}
OF_THE_FLOW_RUNNER = ("FlowRunnerFunction", "Doorbell", "DoorbellQueue", "FlowRunnerLogs")


def mappings_of(stack: Any) -> dict[str, Any]:
    return dict(stack.of_type("AWS::Lambda::EventSourceMapping"))


# The flows


@pytest.mark.parametrize("runner", ["worker", "none"])
def test_a_project_that_runs_its_own_flows_has_no_lambda_that_takes_some(runner: str) -> None:
    chosen = choose(STACK, FlowRunner=runner)

    assert not [name for name in OF_THE_FLOW_RUNNER if name in chosen.resources]
    assert "DoorbellQueueUrl" not in chosen.outputs
    # Without a queue the caller rings in Redis, where workers listen.
    for function in chosen.functions:
        assert "DOORBELL_QUEUE_URL" not in chosen.environment(function)


def test_only_the_choice_of_a_worker_starts_containers() -> None:
    assert {
        runner: "WorkerStack" in choose(STACK, FlowRunner=runner).resources
        for runner in STACK.parameters["FlowRunner"]["AllowedValues"]
    } == {"lambda": False, "worker": True, "none": False}


def test_a_worker_may_only_send_to_the_request_queues() -> None:
    role = load(INFRA / "worker/service.yaml").resources["TaskRole"]["Properties"]
    (policy,) = role["Policies"]
    (statement,) = policy["PolicyDocument"]["Statement"]

    assert statement["Action"] == "sqs:SendMessage"
    assert statement["Resource"] == [{"Ref": "RequestQueueArn"}, {"Ref": "BatchQueueArn"}]


def test_the_definition_of_the_container_shows_no_password() -> None:
    task = load(INFRA / "worker/service.yaml").resources["Task"]["Properties"]
    (container,) = task["ContainerDefinitions"]

    assert "REDIS_URL" not in {variable["Name"] for variable in container["Environment"]}
    assert [secret["Name"] for secret in container["Secrets"]] == ["REDIS_URL"]


# The functions


def test_each_function_is_called_by_its_alias_because_snapshots_are_of_versions() -> None:
    called = [
        properties[key]["Ref"]
        for kind, key in (
            ("AWS::Lambda::EventSourceMapping", "FunctionName"),
            ("AWS::Lambda::Permission", "FunctionName"),
            ("AWS::ApiGatewayV2::Integration", "IntegrationUri"),
        )
        for properties in DEFAULT.of_type(kind).values()
    ]

    assert called
    assert all(name.endswith(".Alias") for name in called)
    assert all(function["AutoPublishAlias"] for function in DEFAULT.functions.values())
    assert all(f["AutoPublishAliasAllProperties"] for f in DEFAULT.functions.values())


def test_every_function_but_the_flow_runner_starts_from_a_snapshot() -> None:
    """A flow runner names itself at its start. Two environments from one snapshot would share the name."""
    starts = {name: f["SnapStart"]["ApplyOn"] for name, f in DEFAULT.functions.items()}

    assert starts.pop("FlowRunnerFunction") == "None"
    assert set(starts.values()) == {"PublishedVersions"}


def test_the_default_concurrency_leaves_the_api_a_part_of_a_new_account_s_quota() -> None:
    at_most = {
        name: STACK.default_of(mapping["ScalingConfig"]["MaximumConcurrency"])
        for name, mapping in mappings_of(DEFAULT).items()
        if name != "Exhausted"  # its queue is nearly always empty
    }

    assert sum(at_most.values()) < NEW_ACCOUNT_QUOTA


# The API


def test_every_route_is_throttled_and_the_open_ones_lower() -> None:
    stage = DEFAULT.resources["HttpApiStage"]
    of_all, of_some = (
        stage["Properties"]["DefaultRouteSettings"],
        stage["Properties"]["RouteSettings"],
    )

    assert of_some.keys() == OPEN_ROUTES
    for settings in of_some.values():
        assert STACK.default_of(settings["ThrottlingRateLimit"]) < STACK.default_of(
            of_all["ThrottlingRateLimit"]
        )
    assert len(stage["DependsOn"]) == len(OPEN_ROUTES)


def test_no_web_page_may_call_the_api() -> None:
    assert "CorsConfiguration" not in DEFAULT.resources["HttpApi"]["Properties"]


def test_with_an_issuer_each_route_asks_for_a_scope() -> None:
    routes = choose(STACK, JwtIssuer="https://issuer").of_type("AWS::ApiGatewayV2::Route")
    scopes = {
        route["RouteKey"]: [scope["Ref"] for scope in route["AuthorizationScopes"]]
        for route in routes.values()
        if route["AuthorizationType"] == "JWT"
    }

    assert scopes == {
        "POST /v1/{proxy+}": ["JwtWriteScope"],
        "DELETE /v1/{proxy+}": ["JwtWriteScope"],
        "GET /v1/requests/{request_id}": ["JwtReadScope", "JwtWriteScope"],
    }


def test_without_an_issuer_each_route_asks_for_iam() -> None:
    routes = DEFAULT.of_type("AWS::ApiGatewayV2::Route").values()

    assert {r["AuthorizationType"] for r in routes} == {"AWS_IAM", "NONE"}
    assert not any("AuthorizationScopes" in route for route in routes)


# Redis


@pytest.mark.parametrize("user", ROOTS)
def test_a_redis_user_has_exactly_the_commands_of_its_program(user: str) -> None:
    given = {word.removeprefix("+") for word in RIGHTS[user]["Commands"].split()}

    assert given == commands_of(user)


def test_the_operator_has_the_commands_of_every_program() -> None:
    operator = set(RIGHTS["Operator"]["Commands"].split())

    assert all(set(RIGHTS[user]["Commands"].split()) <= operator for user in ROOTS)


@pytest.mark.parametrize("kind", ["AWS::ElastiCache::User", "AWS::MemoryDB::User"])
def test_a_redis_user_reaches_only_the_names_of_paydispatch(kind: str) -> None:
    for name, user in REDIS.of_type(kind).items():
        if name != "DefaultUser":
            first, rights = user["AccessString"]["Fn::Join"][1]
            who = rights["Fn::FindInMap"][1]
            rings = {"+publish", "+psubscribe"} & set(RIGHTS[who]["Commands"].split())
            assert re.fullmatch(
                rf"on ~pd:\* resetchannels {'&pd:.*:bell ' if rings else ''}-@all", first
            )
            assert name.startswith(who)


def test_the_user_of_programs_that_name_none_may_do_nothing() -> None:
    user = REDIS.resources["DefaultUser"]["Properties"]

    assert (user["UserName"], user["AccessString"]) == ("default", "off -@all")


def test_elasticache_never_evicts_and_loses_no_answered_write() -> None:
    nodes = choose(REDIS, Kind="elasticache").resources["Nodes"]["Properties"]
    parameters = REDIS.resources["NoEviction"]["Properties"]["Properties"]

    assert nodes["CacheParameterGroupName"] == {"Ref": "NoEviction"}
    assert parameters["maxmemory-policy"] == "noeviction"
    assert nodes["Durability"] == "sync"
    assert float(nodes["EngineVersion"]) >= 9
    assert nodes["TransitEncryptionEnabled"]
    assert nodes["AtRestEncryptionEnabled"]


def test_memorydb_never_evicts() -> None:
    cluster = choose(REDIS, Kind="memorydb").resources["MemoryDb"]["Properties"]
    parameters = REDIS.resources["NoEvictionOfMemoryDb"]["Properties"]["Parameters"]

    assert cluster["ParameterGroupName"] == {"Ref": "NoEvictionOfMemoryDb"}
    assert parameters == {"maxmemory-policy": "noeviction"}
    assert cluster["TLSEnabled"]


def test_serverless_has_no_usage_limit_at_which_it_would_evict() -> None:
    cache = choose(REDIS, Kind="serverless").resources["Serverless"]["Properties"]

    assert "CacheUsageLimits" not in cache


@pytest.mark.parametrize(
    ("function", "user"),
    [
        ("ApiFunction", "api"),
        ("StripeCallerFunction", "stripe-caller"),
        ("ReconcileFunction", "reconciler"),
        ("FlowRunnerFunction", "flow-runner"),
    ],
)
def test_a_function_is_its_own_redis_user_with_a_password_that_the_template_does_not_hold(
    function: str, user: str
) -> None:
    url = DEFAULT.environment(function)["REDIS_URL"]["Fn::Sub"]

    assert re.fullmatch(
        rf"rediss://\$\{{RedisStack\.Outputs\.Name}}-{user}:"
        r"\{\{resolve:secretsmanager:\$\{RedisStack\.Outputs\.\w+Password\}:SecretString:password\}\}"
        r"@\$\{RedisStack\.Outputs\.Address\}:6379\?cluster=true",
        url,
    )


def test_no_name_of_a_request_s_secret_leads_to_a_password_of_redis() -> None:
    """The caller may read every secret under `paydispatch/`, and a request may name one of its tenant."""
    for stack in (STACK, REDIS, load(INFRA / "worker/service.yaml")):
        for secret in stack.of_type("AWS::SecretsManager::Secret").values():
            assert "Name" not in secret  # CloudFormation names it after the stack


@pytest.mark.parametrize(
    ("parameters", "nested"),
    [
        ({}, {"NetworkStack", "RedisStack"}),
        ({"Network": "existing"}, {"RedisStack"}),
        ({"Redis": "url"}, {"NetworkStack"}),
        ({"Network": "existing", "Redis": "url"}, set()),
    ],
)
def test_the_stack_makes_what_it_is_not_given(parameters: dict[str, str], nested: set[str]) -> None:
    made = choose(STACK, **parameters).of_type("AWS::CloudFormation::Stack")

    assert set(made) & {"NetworkStack", "RedisStack"} == nested
