"""The variables of this process that reach the parts of a stack."""

import pytest

from paydispatch.domain.rates.limits import NO_LIMITS, DefaultLimits
from paydispatch.local.settings import LocalSettings, environment_without_aws, local_aws
from paydispatch.settings import default_limits


def test_no_aws_setting_of_the_user_reaches_a_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", "https://sqs.us-east-1.amazonaws.com")
    assert not [name for name in environment_without_aws() if name.startswith("AWS_")]


def test_every_other_variable_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOG_LEVEL", "DEBUG")
    assert environment_without_aws()["LOG_LEVEL"] == "DEBUG"


def test_loopback_never_goes_through_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "internal.example")
    assert environment_without_aws()["NO_PROXY"] == "internal.example,127.0.0.1,localhost"


def test_the_users_aws_files_are_not_read() -> None:
    aws = local_aws("http://127.0.0.1:1")
    assert aws["AWS_CONFIG_FILE"] == aws["AWS_SHARED_CREDENTIALS_FILE"] == "/dev/null"


def test_the_callers_of_a_stack_with_a_twin_have_no_rate_limits() -> None:
    assert default_limits(LocalSettings().limits) == NO_LIMITS


def test_the_callers_of_a_stack_with_another_stripe_keep_its_rate_limits() -> None:
    settings = LocalSettings(stripe_base="https://api.stripe.com")
    assert default_limits(settings.limits) == DefaultLimits()
