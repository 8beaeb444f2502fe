"""Compose a flow server, for the Lambda function and for a process: its ports from the settings, itself from them."""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from paydispatch.adapters.clock import SystemClock
from paydispatch.adapters.flow_scripts import FlowFolder
from paydispatch.adapters.queue_on_demand import QueueOnDemand
from paydispatch.adapters.redis.connection import connect_async
from paydispatch.adapters.redis.eviction import EvictionCheck
from paydispatch.adapters.redis.streams.doorbell_listener import RedisDoorbellListener
from paydispatch.adapters.redis.streams.inbox import RedisInbox
from paydispatch.adapters.redis.streams.sweep import RedisSweep
from paydispatch.services.flow_runs.ports import FlowPolicy, FlowPorts
from paydispatch.services.run_flows import FlowRunner
from paydispatch.services.serve_flows import FlowServer

if TYPE_CHECKING:
    from paydispatch.ports import AsyncQueue, DoorbellListener, EventLog, Sweep
    from paydispatch.settings import RunnerSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerPorts:
    """The ports that a flow server uses: `flows` to run flows, the others to find workers that have flows to run."""

    flows: FlowPorts
    sweep: Sweep
    listener: DoorbellListener


def connect_queue(settings: RunnerSettings) -> AsyncQueue:
    """Return the queue to which flows dispatch. Raises botocore's errors for settings with which it makes no client."""
    from paydispatch.adapters.aws.clients import AwsClients
    from paydispatch.adapters.aws.errors import SEND_CONFIG
    from paydispatch.adapters.aws.sqs import SqsAsyncQueue

    sqs = AwsClients().sqs(SEND_CONFIG)
    return SqsAsyncQueue(sqs, settings.queue_urls, dead_letter_queue_url=None)


def queue_on_demand(settings: RunnerSettings) -> AsyncQueue:
    """Return the same, made when a flow first dispatches. Most starts of the Lambda see none, and save the imports."""
    return QueueOnDemand(partial(connect_queue, settings))


def connect(
    settings: RunnerSettings, log: EventLog, *, consumer: str, queue: AsyncQueue
) -> ServerPorts:
    """Build the clients, for one event loop. They connect when they are first used.

    `consumer` is the name of this process in the consumer group of each stream that it reads.
    """
    clock = SystemClock()
    eviction = EvictionCheck(allowed=settings.allow_eviction, log=log)
    redis = connect_async(settings.redis_url, eviction)
    flows = FlowPorts(
        inbox=RedisInbox(
            redis, clock, log, consumer=consumer, flow_timeout_s=settings.flow_timeout_s
        ),
        scripts=FlowFolder(settings.flows_dir, import_timeout_s=settings.flow_import_timeout_s),
        queue=queue,
        clock=clock,
        log=log,
        fraction=random.random,
        queue_tenant=settings.queue_tenant,
        stripe_api_version=settings.stripe_api_version,
    )
    return ServerPorts(
        flows=flows, sweep=RedisSweep(redis, clock, log), listener=RedisDoorbellListener(redis, log)
    )


def compose(settings: RunnerSettings, ports: ServerPorts) -> FlowServer:
    policy = FlowPolicy(
        timeout_s=settings.flow_timeout_s,
        import_timeout_s=settings.flow_import_timeout_s,
        retry=settings.flow_retry,
        missing_wait_s=settings.flow_missing_wait_s,
        only=settings.flows_only,
    )
    flows = ports.flows
    runner = FlowRunner(flows, policy)
    return FlowServer(runner, ports.sweep, ports.listener, flows.clock, flows.log)
