"""The settings that each program reads from its environment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from paydispatch import Dispatcher
from paydispatch.domain.errors import BadSetting, PaydispatchError
from paydispatch.domain.rates.lanes import LANES, LaneRule, RateLane
from paydispatch.domain.rates.limits import NO_LIMITS, DefaultLimits, Limits
from paydispatch.domain.requests import Lane
from paydispatch.domain.stripe.stripe_version import STRIPE_API_VERSION
from paydispatch.settings import (
    STRIPE_API_BASE,
    ApiSettings,
    CallerSettings,
    MissingSetting,
    ReconcilerSettings,
    RunnerSettings,
    SdkSettings,
)

ENV = {
    "REQUEST_QUEUE_URL": "https://q",
    "DEAD_LETTER_QUEUE_URL": "https://dlq",
    "REDIS_URL": "rediss://r",
    "SEALING_KEY_ID": "alias/k",
}
NEEDED = {
    ApiSettings: ("REQUEST_QUEUE_URL", "REDIS_URL", "SEALING_KEY_ID"),
    CallerSettings: ("REQUEST_QUEUE_URL", "DEAD_LETTER_QUEUE_URL", "REDIS_URL"),
    RunnerSettings: ("REQUEST_QUEUE_URL", "REDIS_URL"),
    SdkSettings: ("REQUEST_QUEUE_URL", "SEALING_KEY_ID"),
}


@pytest.mark.parametrize(
    ("program", "name"), [(program, name) for program, names in NEEDED.items() for name in names]
)
@pytest.mark.parametrize("given", [{}, {"empty": ""}], ids=["absent", "empty"])
def test_a_missing_required_setting_is_named(
    program: Any, name: str, given: dict[str, str]
) -> None:
    env = {key: value for key, value in ENV.items() if key != name}
    with pytest.raises(MissingSetting, match=name):
        program.from_env(env | dict.fromkeys([name] if given else [], ""))


@pytest.mark.parametrize("program", NEEDED)
def test_a_program_needs_only_its_required_settings(program: Any) -> None:
    needed = {name: ENV[name] for name in NEEDED[program]}
    assert program.from_env(needed).queue_urls[Lane.INTERACTIVE] == "https://q"


@pytest.mark.parametrize(("given", "used"), [({}, "https://q"), ({"BATCH_QUEUE_URL": "b"}, "b")])
def test_without_a_batch_queue_both_lanes_share_one_queue(given: dict[str, str], used: str) -> None:
    assert SdkSettings.from_env(ENV | given).queue_urls[Lane.BATCH] == used


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        ({}, False),
        ({"LAMBDA_TASK_ROOT": "/var/task"}, True),
        ({"LAMBDA_TASK_ROOT": "/var/task", "AWS_SAM_LOCAL": "true"}, False),
        ({"LAMBDA_TASK_ROOT": "/var/task", "SIGN_IN": "none"}, False),
        ({"SIGN_IN": "required"}, True),
    ],
)
def test_a_real_lambda_requires_sign_in(given: dict[str, str], asked: bool) -> None:
    assert ApiSettings.from_env(ENV | given).sign_in is asked


def test_the_caller_has_a_default_for_every_other_setting() -> None:
    settings = CallerSettings.from_env(ENV)
    assert settings.stripe_api_base == STRIPE_API_BASE == "https://api.stripe.com"
    assert settings.stripe_read_timeout_s == 80.0
    assert settings.max_receives == 5
    assert settings.queue_tenant == "local"
    assert settings.doorbell_queue_url is None
    assert settings.exhausted_queue is None


def test_the_exhausted_queue_is_known_by_its_name() -> None:
    url = {
        "EXHAUSTED_QUEUE_URL": "https://sqs.eu-central-1.amazonaws.com/123456789012/pd-Exhausted"
    }
    assert CallerSettings.from_env(ENV | url).exhausted_queue == "pd-Exhausted"


@pytest.mark.parametrize(
    "program", [ApiSettings, CallerSettings, ReconcilerSettings, RunnerSettings, SdkSettings]
)
def test_every_program_that_checks_parameters_or_calls_stripe_reads_its_version(
    program: Any,
) -> None:
    other = {"STRIPE_API_VERSION": "2027-03-31.flora"}
    assert program.from_env(ENV | other).stripe_api_version == "2027-03-31.flora"
    assert program.from_env(ENV | {"STRIPE_API_VERSION": ""}).stripe_api_version == (
        STRIPE_API_VERSION
    )


def test_the_runner_reads_its_flows_folder_timeout_and_attempts() -> None:
    given = {
        "FLOWS_DIR": "/srv/flows",
        "FLOW_TIMEOUT_S": "2.5",
        "FLOW_ATTEMPTS": "3",
        "FLOWS_ONLY": " any_*  new_create_refund_error ",
    }
    settings = RunnerSettings.from_env(ENV | given)
    assert settings.flows_dir == Path("/srv/flows")
    assert settings.flows_only == ("any_*", "new_create_refund_error")
    assert (settings.flow_timeout_s, settings.flow_retry.attempts) == (2.5, 3)


@pytest.mark.parametrize(
    ("program", "name", "text", "said"),
    [
        (CallerSettings, "MAX_RECEIVES", "abc", "must be a number, not 'abc'"),
        (CallerSettings, "MAX_RECEIVES", "nan", "must be a number, not 'nan'"),
        (CallerSettings, "MAX_RECEIVES", "1e999", "must be a number, not '1e999'"),
        (CallerSettings, "MAX_RECEIVES", "0", "must be above 0, not '0'"),
        (CallerSettings, "MAX_RECEIVES", "2.5", "must be a whole number, not '2.5'"),
        (CallerSettings, "STRIPE_READ_TIMEOUT_S", "-1", "must be above 0, not '-1'"),
        (RunnerSettings, "FLOW_TIMEOUT_S", "soon", "must be a number, not 'soon'"),
        (RunnerSettings, "FLOW_TIMEOUT_S", "inf", "must be a number, not 'inf'"),
        (RunnerSettings, "FLOW_ATTEMPTS", "-3", "must be above 0, not '-3'"),
    ],
)
def test_the_error_for_an_invalid_number_has_its_name_and_its_text(
    program: Any, name: str, text: str, said: str
) -> None:
    with pytest.raises(BadSetting) as raised:
        program.from_env(ENV | {name: text})

    assert str(raised.value) == f"{name} {said}."


WITH_LIMITS = [CallerSettings, ReconcilerSettings]


@pytest.mark.parametrize("program", WITH_LIMITS)
def test_without_a_setting_the_limits_are_those_that_stripe_documents(program: Any) -> None:
    settings = program.from_env(ENV)
    assert settings.default_limits == DefaultLimits()
    assert settings.lane_rules == LANES


@pytest.mark.parametrize("program", WITH_LIMITS)
def test_the_limits_of_live_accounts_of_sandboxes_and_of_operations_are_set_apart(
    program: Any,
) -> None:
    given = {
        "STRIPE_LIMIT_LIVE": "500",
        "STRIPE_LIMIT_SANDBOX": "50",
        "STRIPE_LIMIT_OPERATION": "100",
    }
    limits = program.from_env(ENV | given).default_limits
    assert limits.of("live acct_1") == Limits(account=500, operation=100)
    assert limits.of("test acct_1") == Limits(account=50, operation=100)


def test_off_lifts_one_limit() -> None:
    limits = CallerSettings.from_env(ENV | {"STRIPE_LIMIT_OPERATION": "off"}).default_limits
    assert (limits.live, limits.sandbox.operation) == (Limits(account=100, operation=None), None)


def test_off_for_all_three_is_no_limit_at_all() -> None:
    names = ("STRIPE_LIMIT_LIVE", "STRIPE_LIMIT_SANDBOX", "STRIPE_LIMIT_OPERATION")
    assert CallerSettings.from_env(ENV | dict.fromkeys(names, "off")).default_limits == NO_LIMITS


@pytest.mark.parametrize("program", WITH_LIMITS)
def test_the_longest_wait_of_a_lane_is_set_and_its_share_stays(program: Any) -> None:
    given = {"RATE_WAIT_INTERACTIVE_S": "20", "RATE_WAIT_BATCH_S": "0.5"}
    rules = program.from_env(ENV | given).lane_rules
    assert rules[RateLane.INTERACTIVE] == LaneRule(share=1.0, longest_wait_s=20.0)
    assert rules[RateLane.BATCH] == LaneRule(share=0.8, longest_wait_s=0.5)
    assert rules[RateLane.LOOK] == LANES[RateLane.LOOK]


@pytest.mark.parametrize("program", WITH_LIMITS)
def test_the_share_of_the_batch_lane_is_set_and_its_wait_stays(program: Any) -> None:
    rules = program.from_env(ENV | {"RATE_SHARE_BATCH": "0.5"}).lane_rules
    assert rules[RateLane.BATCH] == LaneRule(share=0.5, longest_wait_s=1.0)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("RATE_SHARE_BATCH", "80", "must be at most 1, not '80'"),
        ("STRIPE_LIMIT_LIVE", "0", "must be whole calls per second or off, not '0'"),
        ("STRIPE_LIMIT_LIVE", "0.5", "must be whole calls per second or off, not '0.5'"),
        ("STRIPE_LIMIT_SANDBOX", "many", "must be whole calls per second or off, not 'many'"),
        ("STRIPE_LIMIT_OPERATION", "inf", "must be whole calls per second or off, not 'inf'"),
        ("RATE_WAIT_INTERACTIVE_S", "20.5", "must be at most 20, not '20.5'"),
        ("RATE_WAIT_BATCH_S", "0", "must be above 0, not '0'"),
    ],
)
@pytest.mark.parametrize("program", WITH_LIMITS)
def test_the_error_for_an_invalid_limit_has_its_name_and_its_text(
    program: Any, name: str, text: str, said: str
) -> None:
    with pytest.raises(BadSetting) as raised:
        program.from_env(ENV | {name: text})
    assert str(raised.value) == f"{name} {said}."


PLAIN = ["http://stripe.example", "http://10.0.0.7:80", "http://localhost.example", "ftp://h"]
ODD = [
    "stripe.example",
    "https://",
    "http://",
    "https://h:x",
    "http://evil.example\\@localhost",
    "",
]
LOCAL = ["http://localhost:1", "http://127.0.0.1:1", "http://127.9.9.9", "http://[::1]:1"]


@pytest.mark.parametrize("url", PLAIN + ODD[:-1] + [f"http://u:{word}@h" for word in ("hush",)])
@pytest.mark.parametrize("program", [CallerSettings, ReconcilerSettings])
def test_a_stripe_address_without_tls_is_refused(program: Any, url: str) -> None:
    with pytest.raises(BadSetting, match="STRIPE_API_BASE must be like https://HOST") as raised:
        program.from_env(ENV | {"STRIPE_API_BASE": url})
    assert "hush" not in str(raised.value)


@pytest.mark.parametrize("url", ["https://api.stripe.com", "https://h:8443/x", *LOCAL])
@pytest.mark.parametrize("program", [CallerSettings, ReconcilerSettings])
def test_a_stripe_address_with_tls_or_on_this_machine_is_accepted(program: Any, url: str) -> None:
    assert program.from_env(ENV | {"STRIPE_API_BASE": url}).stripe_api_base == url


WITH_REDIS = [ApiSettings, CallerSettings, ReconcilerSettings, RunnerSettings]
ELSEWHERE = [
    "redis://r",
    "redis://u:hush@10.0.0.7:6379/0?cluster=true",
    "redis://localhost.example",
]


@pytest.mark.parametrize("url", ELSEWHERE)
@pytest.mark.parametrize("program", WITH_REDIS)
def test_a_redis_without_tls_is_refused(program: Any, url: str) -> None:
    with pytest.raises(BadSetting, match="REDIS_URL must be like rediss://") as raised:
        program.from_env(ENV | {"REDIS_URL": url})
    assert "hush" not in str(raised.value)


@pytest.mark.parametrize("url", ELSEWHERE)
@pytest.mark.parametrize("program", WITH_REDIS)
def test_a_redis_without_tls_is_accepted_with_redis_allow_plaintext(program: Any, url: str) -> None:
    env = ENV | {"REDIS_URL": url, "REDIS_ALLOW_PLAINTEXT": "true"}
    assert program.from_env(env).redis_url == url


@pytest.mark.parametrize(
    "url",
    ["rediss://r", "redis://localhost", "redis://127.0.0.1:1/0", "redis://[::1]:1", "redis://"],
)
@pytest.mark.parametrize("program", WITH_REDIS)
def test_a_redis_with_tls_or_on_this_machine_is_accepted(program: Any, url: str) -> None:
    assert program.from_env(ENV | {"REDIS_URL": url}).redis_url == url


@pytest.mark.parametrize("url", PLAIN + ODD)
def test_the_sdk_refuses_an_api_without_tls(url: str) -> None:
    with pytest.raises(BadSetting, match="base_url must be like https://HOST"):
        Dispatcher.http(url)


@pytest.mark.parametrize("url", ["https://api.example.com", *LOCAL])
def test_the_sdk_accepts_an_api_with_tls_or_on_this_machine(url: str) -> None:
    assert Dispatcher.http(url)


@pytest.mark.parametrize(
    ("given", "proxy"),
    [
        ({}, None),
        ({"HTTPS_PROXY": "http://u:p@proxy:3128"}, "http://u:p@proxy:3128"),
        ({"HTTPS_PROXY": "proxy:3128"}, "http://proxy:3128"),
        ({"HTTPS_PROXY": "http://a:1", "https_proxy": "http://b:1"}, "http://b:1"),
        ({"HTTP_PROXY": "http://proxy:1"}, None),
        ({"HTTPS_PROXY": "http://proxy:1", "NO_PROXY": "api.stripe.com"}, None),
        ({"HTTPS_PROXY": "http://proxy:1", "NO_PROXY": "localhost, .stripe.com"}, None),
        ({"HTTPS_PROXY": "http://proxy:1", "no_proxy": "*"}, None),
        ({"HTTPS_PROXY": "http://proxy:1", "NO_PROXY": "example.com"}, "http://proxy:1"),
        ({"HTTPS_PROXY": "http://proxy:1", "STRIPE_API_BASE": "http://127.0.0.1:1"}, None),
        ({"HTTPS_PROXY": "http://proxy:1", "STRIPE_API_BASE": "https://localhost:1"}, None),
    ],
)
@pytest.mark.parametrize("program", [CallerSettings, ReconcilerSettings])
def test_stripe_is_called_through_the_proxy_that_boto3_uses(
    program: Any, given: dict[str, str], proxy: str | None
) -> None:
    assert program.from_env(ENV | given).stripe_proxy == proxy


@pytest.mark.parametrize("proxy", ["socks5://hush:1", "http://hush@", "http://u:hush/x@proxy:1"])
def test_an_invalid_proxy_is_refused_without_its_password_in_the_error(proxy: str) -> None:
    with pytest.raises(BadSetting, match="HTTPS_PROXY must be like") as raised:
        CallerSettings.from_env(ENV | {"HTTPS_PROXY": proxy})
    assert "hush" not in str(raised.value)


@pytest.mark.parametrize("program", [CallerSettings, ReconcilerSettings])
def test_the_certificates_that_boto3_trusts_are_trusted_at_stripe(program: Any) -> None:
    names = ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")
    for place, name in enumerate(names):
        env = ENV | {later: f"/{later}" for later in names[place:]}
        assert program.from_env(env).ca_bundle == Path(f"/{name}")
    assert program.from_env(ENV | {"AWS_CA_BUNDLE": ""}).ca_bundle is None


def test_a_missing_setting_is_a_paydispatch_error() -> None:
    with pytest.raises(PaydispatchError):
        SdkSettings.from_env({})


@pytest.mark.parametrize(
    ("given", "allowed"), [({}, False), ({"REDIS_ALLOW_EVICTION": "True"}, True)]
)
def test_a_redis_that_evicts_is_allowed_only_with_redis_allow_eviction(
    given: dict[str, str], allowed: bool
) -> None:
    assert RunnerSettings.from_env(ENV | given).allow_eviction is allowed


def test_a_switch_is_true_or_false() -> None:
    with pytest.raises(BadSetting, match="REDIS_ALLOW_EVICTION must be true or false, not 'yes'"):
        ApiSettings.from_env(ENV | {"REDIS_ALLOW_EVICTION": "yes"})


@pytest.mark.parametrize(
    ("given", "warmed"),
    [
        ({}, ()),
        ({"WARM_OPERATIONS": ""}, ()),
        (
            {"WARM_OPERATIONS": "create_payment_intent, capture_payment_intent,"},
            ("create_payment_intent", "capture_payment_intent"),
        ),
    ],
)
@pytest.mark.parametrize("program", [ApiSettings, CallerSettings])
def test_the_operations_to_warm_are_separated_by_commas(
    program: Any, given: dict[str, str], warmed: tuple[str, ...]
) -> None:
    assert program.from_env(ENV | given).warm_operations == warmed


@pytest.mark.parametrize("program", [ApiSettings, CallerSettings])
def test_an_unknown_operation_to_warm_is_refused_with_names_that_are_close(program: Any) -> None:
    wanted = r"WARM_OPERATIONS: .*'capture_payment'\. Did you mean capture_payment_intent"
    with pytest.raises(BadSetting, match=wanted):
        program.from_env(ENV | {"WARM_OPERATIONS": "capture_payment"})
