"""The settings of each program. It reads them once at its start. Only commands and the local stack read others."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from paydispatch.domain.errors import BadSetting, MissingSetting, UnknownOperation
from paydispatch.domain.flow_retry import Retry
from paydispatch.domain.rates.lanes import LANES, LONGEST_WAIT_S, LaneRule, RateLane
from paydispatch.domain.rates.limits import DefaultLimits, Limits
from paydispatch.domain.requests import Lane
from paydispatch.domain.stripe.operations import require_operations
from paydispatch.domain.stripe.stripe_version import STRIPE_API_VERSION
from paydispatch.domain.web.protected_urls import check_http_url, check_redis_url
from paydispatch.domain.web.proxies import proxy_for
from paydispatch.setting_values import count, number, number_up_to, rate, require, switch

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "DEFAULT_MAX_RECEIVES",
    "STRIPE_API_BASE",
    "ApiSettings",
    "CallerSettings",
    "MissingSetting",
    "OperatorSettings",
    "ReconcilerSettings",
    "RunnerSettings",
    "SdkSettings",
    "StripeSettings",
    "default_limits",
    "lane_rules",
    "queue_tenant_of",
    "stripe_api_version",
]

STRIPE_API_BASE = "https://api.stripe.com"
CA_BUNDLES = ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")
"""The variables that name the trusted certificates, instead of the usual ones."""

DEFAULT_MAX_RECEIVES = 5
"""AWS's advice for a queue with a Lambda function as its consumer. Here only a crash uses up a receive."""


def _queue_urls(env: Mapping[str, str]) -> dict[Lane, str]:
    """Return the queue of each lane. Without a batch queue, both lanes share the request queue."""
    interactive = require(env, "REQUEST_QUEUE_URL")
    return {Lane.INTERACTIVE: interactive, Lane.BATCH: env.get("BATCH_QUEUE_URL") or interactive}


def _flow_retry(env: Mapping[str, str]) -> Retry:
    try:
        return Retry(attempts=count(env, "FLOW_ATTEMPTS", Retry().attempts))
    except ValueError as error:
        raise BadSetting(f"FLOW_ATTEMPTS: {error}") from None


def _look_queue_url(env: Mapping[str, str]) -> str | None:
    """Return the queue of looks and events. None: only the hourly sweep looks, and no event comes in."""
    return env.get("LOOK_QUEUE_URL") or None


def doorbell_queue_url(env: Mapping[str, str] = os.environ) -> str | None:
    """Return the queue that wakes the Lambda flow runner. None: only worker processes run flows."""
    return env.get("DOORBELL_QUEUE_URL") or None


def redis_url(env: Mapping[str, str] = os.environ) -> str:
    """Return REDIS_URL. Raises `BadSetting` for a remote Redis without TLS, unless REDIS_ALLOW_PLAINTEXT is true."""
    return check_redis_url(
        "REDIS_URL", require(env, "REDIS_URL"), plaintext_allowed=allow_plaintext(env)
    )


def allow_plaintext(env: Mapping[str, str] = os.environ) -> bool:
    """Return whether a remote Redis may be used without TLS, which is meant for a private network that protects it."""
    return switch(env, "REDIS_ALLOW_PLAINTEXT")


def _stripe_api_base(env: Mapping[str, str]) -> str:
    return check_http_url("STRIPE_API_BASE", env.get("STRIPE_API_BASE") or STRIPE_API_BASE)


def stripe_api_version(env: Mapping[str, str] = os.environ) -> str:
    """Return the version of Stripe's API that calls name. By default it is the version of the schemas."""
    return env.get("STRIPE_API_VERSION") or STRIPE_API_VERSION


def _warm_operations(env: Mapping[str, str]) -> tuple[str, ...]:
    """Return the operations in WARM_OPERATIONS, with commas between them. Raises `BadSetting`."""
    named = (name.strip() for name in env.get("WARM_OPERATIONS", "").split(","))
    try:
        return require_operations(name for name in named if name)
    except UnknownOperation as error:
        raise BadSetting(f"WARM_OPERATIONS: {error}") from None


def _stripe_proxy(env: Mapping[str, str]) -> str | None:
    """Return the proxy for Stripe. As in boto3, a variable with a lower-case name comes first."""
    proxy = env.get("https_proxy") or env.get("HTTPS_PROXY", "")
    exceptions = env.get("no_proxy") or env.get("NO_PROXY", "")
    return proxy_for(_stripe_api_base(env), proxy=proxy, exceptions=exceptions)


def _ca_bundle(env: Mapping[str, str]) -> Path | None:
    """Return the first that is set: boto3's own variable, and then those that requests, OpenSSL and Python read."""
    named = [env.get(name, "") for name in CA_BUNDLES]
    return next((Path(path) for path in named if path), None)


def allow_eviction(env: Mapping[str, str] = os.environ) -> bool:
    """Return whether a Redis that evicts may be used."""
    return switch(env, "REDIS_ALLOW_EVICTION")


def default_limits(env: Mapping[str, str] = os.environ) -> DefaultLimits:
    """Return the limits of accounts without limits of their own. Raises `BadSetting`."""
    defaults = DefaultLimits()
    operation = rate(env, "STRIPE_LIMIT_OPERATION", defaults.live.operation)
    live = rate(env, "STRIPE_LIMIT_LIVE", defaults.live.account)
    sandbox = rate(env, "STRIPE_LIMIT_SANDBOX", defaults.sandbox.account)
    return DefaultLimits(
        live=Limits(account=live, operation=operation),
        sandbox=Limits(account=sandbox, operation=operation),
    )


def lane_rules(env: Mapping[str, str] = os.environ) -> Mapping[RateLane, LaneRule]:
    """Return the share of a limit and the longest wait of each lane. Raises `BadSetting`."""
    batch = _with_wait(env, "RATE_WAIT_BATCH_S", RateLane.BATCH)
    share = number_up_to(env, "RATE_SHARE_BATCH", batch.share, at_most=1.0)
    return {
        **LANES,
        RateLane.INTERACTIVE: _with_wait(env, "RATE_WAIT_INTERACTIVE_S", RateLane.INTERACTIVE),
        RateLane.BATCH: replace(batch, share=share),
    }


def _with_wait(env: Mapping[str, str], name: str, lane: RateLane) -> LaneRule:
    rule = LANES[lane]
    wait_s = number_up_to(env, name, rule.longest_wait_s, at_most=LONGEST_WAIT_S)
    return replace(rule, longest_wait_s=wait_s)


def queue_tenant_of(env: Mapping[str, str] = os.environ) -> str:
    """Return the tenant of programs that send to the queue directly."""
    return env.get("QUEUE_TENANT") or "local"


def _is_deployed(env: Mapping[str, str]) -> bool:
    """Return whether the program runs in a deployed Lambda function, where the API requires sign-in by default."""
    return "LAMBDA_TASK_ROOT" in env and env.get("AWS_SAM_LOCAL") != "true"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiSettings:
    queue_urls: Mapping[Lane, str]
    look_queue_url: str | None
    """None: the API takes no events of Stripe."""
    redis_url: str
    allow_eviction: bool
    sealing_key_id: str
    sign_in: bool
    tenant_claim: str
    queue_tenant: str
    stripe_api_version: str
    warm_operations: tuple[str, ...]

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ) -> ApiSettings:
        return cls(
            queue_urls=_queue_urls(env),
            look_queue_url=_look_queue_url(env),
            redis_url=redis_url(env),
            allow_eviction=allow_eviction(env),
            sealing_key_id=require(env, "SEALING_KEY_ID"),
            sign_in=env.get("SIGN_IN", "required" if _is_deployed(env) else "none") != "none",
            tenant_claim=env.get("TENANT_CLAIM", "tenant"),
            queue_tenant=queue_tenant_of(env),
            stripe_api_version=stripe_api_version(env),
            warm_operations=_warm_operations(env),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CallerSettings:
    queue_urls: Mapping[Lane, str]
    dead_letter_queue_url: str
    exhausted_queue: str | None
    """The name of the queue to which SQS moves messages after their last receive. None: to the dead-letter queue."""
    doorbell_queue_url: str | None
    look_queue_url: str | None
    redis_url: str
    allow_eviction: bool
    stripe_api_base: str
    stripe_proxy: str | None
    ca_bundle: Path | None
    stripe_api_version: str
    warm_operations: tuple[str, ...]
    stripe_read_timeout_s: float
    max_receives: int
    queue_tenant: str
    default_limits: DefaultLimits
    lane_rules: Mapping[RateLane, LaneRule]

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ) -> CallerSettings:
        return cls(
            queue_urls=_queue_urls(env),
            dead_letter_queue_url=require(env, "DEAD_LETTER_QUEUE_URL"),
            exhausted_queue=env.get("EXHAUSTED_QUEUE_URL", "").rpartition("/")[2] or None,
            doorbell_queue_url=doorbell_queue_url(env),
            look_queue_url=_look_queue_url(env),
            redis_url=redis_url(env),
            allow_eviction=allow_eviction(env),
            stripe_api_base=_stripe_api_base(env),
            stripe_proxy=_stripe_proxy(env),
            ca_bundle=_ca_bundle(env),
            stripe_api_version=stripe_api_version(env),
            warm_operations=_warm_operations(env),
            stripe_read_timeout_s=number(env, "STRIPE_READ_TIMEOUT_S", 80.0),
            max_receives=count(env, "MAX_RECEIVES", DEFAULT_MAX_RECEIVES),
            queue_tenant=queue_tenant_of(env),
            default_limits=default_limits(env),
            lane_rules=lane_rules(env),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconcilerSettings:
    """The caller's settings without queues, because the reconciler sends no creates.

    Its Stripe and its limits must be the same.
    """

    doorbell_queue_url: str | None
    look_queue_url: str | None
    redis_url: str
    allow_eviction: bool
    stripe_api_base: str
    stripe_proxy: str | None
    ca_bundle: Path | None
    stripe_api_version: str
    queue_tenant: str
    default_limits: DefaultLimits
    lane_rules: Mapping[RateLane, LaneRule]

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ) -> ReconcilerSettings:
        return cls(
            doorbell_queue_url=doorbell_queue_url(env),
            look_queue_url=_look_queue_url(env),
            redis_url=redis_url(env),
            allow_eviction=allow_eviction(env),
            stripe_api_base=_stripe_api_base(env),
            stripe_proxy=_stripe_proxy(env),
            ca_bundle=_ca_bundle(env),
            stripe_api_version=stripe_api_version(env),
            queue_tenant=queue_tenant_of(env),
            default_limits=default_limits(env),
            lane_rules=lane_rules(env),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorSettings:
    """The setting of the operator's function itself. Each command reads the others, as on an operator's machine."""

    reconcile_function: str
    queue_tenant: str

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ) -> OperatorSettings:
        return cls(
            reconcile_function=require(env, "RECONCILE_FUNCTION"),
            queue_tenant=queue_tenant_of(env),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class StripeSettings:
    """The settings of a command that only calls Stripe."""

    api_base: str
    proxy: str | None
    ca_bundle: Path | None
    api_version: str

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ) -> StripeSettings:
        return cls(
            api_base=_stripe_api_base(env),
            proxy=_stripe_proxy(env),
            ca_bundle=_ca_bundle(env),
            api_version=stripe_api_version(env),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnerSettings:
    queue_urls: Mapping[Lane, str]
    redis_url: str
    allow_eviction: bool
    flows_dir: Path
    flow_timeout_s: float
    flow_import_timeout_s: float
    flow_retry: Retry
    """For the scripts without a `RETRY`."""
    flow_missing_wait_s: float
    flows_only: tuple[str, ...]
    """Patterns of the scripts that this runner runs. Empty: all."""
    queue_tenant: str
    stripe_api_version: str

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ) -> RunnerSettings:
        return cls(
            queue_urls=_queue_urls(env),
            redis_url=redis_url(env),
            allow_eviction=allow_eviction(env),
            flows_dir=Path(env.get("FLOWS_DIR") or "flows").resolve(),
            flow_timeout_s=number(env, "FLOW_TIMEOUT_S", 30.0),
            flow_import_timeout_s=number(env, "FLOW_IMPORT_TIMEOUT_S", 30.0),
            flow_retry=_flow_retry(env),
            flow_missing_wait_s=number(env, "FLOW_MISSING_WAIT_S", 600.0),
            flows_only=tuple(env.get("FLOWS_ONLY", "").split()),
            queue_tenant=queue_tenant_of(env),
            stripe_api_version=stripe_api_version(env),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SdkSettings:
    queue_urls: Mapping[Lane, str]
    sealing_key_id: str
    stripe_api_version: str
    api_url: str | None = None
    """The HTTP API from which the outcomes of requests are read. None: they are not read."""
    api_token: str | None = field(default=None, repr=False)

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ) -> SdkSettings:
        return cls(
            queue_urls=_queue_urls(env),
            sealing_key_id=require(env, "SEALING_KEY_ID"),
            stripe_api_version=stripe_api_version(env),
            api_url=env.get("PAYDISPATCH_API_URL") or None,
            api_token=env.get("PAYDISPATCH_TOKEN") or None,
        )
