"""What a flow server is made of, as a Lambda and as a process alike."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import boto3

from paydispatch.adapters.aws.errors import SEND_CONFIG
from paydispatch.adapters.aws.sqs import SqsDispatchQueue
from paydispatch.adapters.clock import SystemClock
from paydispatch.adapters.flow_scripts import FlowFolder
from paydispatch.adapters.redis.bells import RedisBells
from paydispatch.adapters.redis.connection import connect_async
from paydispatch.adapters.redis.eviction import EvictionCheck
from paydispatch.adapters.redis.inbox import RedisInbox
from paydispatch.adapters.redis.sweep import RedisSweep
from paydispatch.services.run_flows import FlowPolicy, FlowPorts, FlowRunner
from paydispatch.services.serve_flows import FlowServer

if TYPE_CHECKING:
    from paydispatch.ports import Journal
    from paydispatch.settings import RunnerSettings


def compose(settings: RunnerSettings, journal: Journal, *, consumer: str) -> FlowServer:
    """`consumer` names this process in the consumer group of every stream it reads."""
    clock = SystemClock()
    eviction = EvictionCheck(allowed=settings.allow_eviction, journal=journal)
    redis = connect_async(settings.redis_url, eviction)
    policy = FlowPolicy(
        timeout_s=settings.flow_timeout_s,
        import_timeout_s=settings.flow_import_timeout_s,
        attempts=settings.flow_attempts,
    )
    inbox = RedisInbox(redis, clock, journal, consumer=consumer, flow_timeout_s=policy.timeout_s)
    ports = FlowPorts(
        inbox=inbox,
        scripts=FlowFolder(settings.flows_dir, import_timeout_s=policy.import_timeout_s),
        queue=SqsDispatchQueue(
            boto3.client("sqs", config=SEND_CONFIG),
            settings.queue_urls,
            dead_letter_queue_url=None,
        ),
        clock=clock,
        journal=journal,
        fraction=random.random,
        queue_tenant=settings.queue_tenant,
    )
    sweep, bells = RedisSweep(redis, clock, journal), RedisBells(redis, journal)
    return FlowServer(FlowRunner(ports, policy), sweep, bells, clock, journal)
