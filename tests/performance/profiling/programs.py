"""The programs that are profiled, and the parts that their time is shared among."""

from __future__ import annotations

from dataclasses import dataclass

from tests.performance.profiling.stacks import Part

WAITING = Part("", ("selectors.py",))
"""A thread that waits for its next event. It is in no table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profiled:
    """One program of a row, where its requests are in the stacks, and its parts."""

    name: str
    module: str
    arguments: tuple[str, ...] = ()
    within: tuple[str, ...]
    """Texts of the frames around a request. The last is the outermost frame that counts."""
    parts: tuple[Part, ...]


_LOOP = Part("asyncio: turns of the loop, sockets, hand-over between threads", ("asyncio/",))

PROFILED = (
    Profiled(
        name="control_back",
        module="tests.performance.control_back",
        arguments=("--calls", "1500", "--messages", "6000"),
        within=("create (",),
        parts=(
            Part(
                "check against Stripe's schema, search for keys and card data",
                ("parameters/check.py", "json_values.py", "redaction.py"),
            ),
            Part("make plain copies of the parameters", ("plain_values.py",)),
            Part("seal the key", ("sealing.py", "kms.py")),
            Part("write the message", ("json/encoder.py", "envelope.py", "groups.py")),
            Part("make the id", ("request_ids.py",)),
            Part(
                "check the fields of the request",
                ("domain/requests.py", "credentials.py", "operation_fields.py", "trace_context"),
            ),
            Part("receipt, buffer, waking the thread", ("receipt.py", "sender.py", "threading.py")),
            Part("builder", ("sdk/builder.py", "sdk/builders.py", "control_back.py")),
            Part("dispatcher and delivery", ("dispatcher.py", "sqs_delivery.py", "operations.py")),
            Part("make the records between these steps", ("<string>",)),
        ),
    ),
    Profiled(
        name="one_call",
        module="tests.performance.one_call",
        arguments=("--rounds", "1", "--calls", "1500"),
        within=("one_side.py caller",),
        parts=(
            Part("aiohttp: the POST and its answer", ("aiohttp/", "yarl/", "multidict", "tls.py")),
            Part("Redis: pipelines, packing, answers", ("site-packages/redis/", "adapters/redis/")),
            Part("the log line and metrics", ("wide_lines", "event_log", "powertools", "logging/")),
            Part("open the seal", ("sealing.py", "kms.py")),
            Part(
                "read the message, check it once more",
                ("read_message", "domain/parameters", "redaction.py"),
            ),
            Part("the form body", ("form_encoding.py", "urllib/parse.py")),
            Part("read Stripe's answer", ("adapters/stripe/gateway.py",)),
            Part("steps and rules of a call", ("paydispatch/services", "paydispatch/domain")),
            _LOOP,
        ),
    ),
    Profiled(
        name="flows",
        module="tests.performance.flows",
        arguments=("--only", "async def, own", "--rounds", "1", "--at", "0", "--flows", "8000"),
        within=("flow_worker.py drain",),
        parts=(
            Part(
                "the loop and the thread of a script",
                ("script_threads.py", "script_run.py", "script_loop.py", "flow_scripts.py"),
            ),
            Part(
                "Redis: turns, ends, answers",
                ("site-packages/redis/", "streams/", "adapters/redis/"),
            ),
            Part("read the entry, search it for keys", ("entry_texts.py", "domain/", "json/")),
            Part("the log line", ("wide_lines", "event_log", "flow_log", "logging/")),
            Part("services: turns and ends of runs", ("paydispatch/services",)),
            _LOOP,
        ),
    ),
    Profiled(
        name="whole_path",
        module="tests.performance.whole_path",
        arguments=("--requests", "1500"),
        within=("paydispatch.local.poller --name poller-interactive",),
        parts=(
            Part("aiohttp: the POST and its answer", ("aiohttp/", "yarl/", "multidict", "tls.py")),
            Part("botocore: receive, delete, doorbells", ("botocore/", "urllib3/", "boto3/")),
            Part("Redis: pipelines, packing, answers", ("site-packages/redis/", "adapters/redis/")),
            Part("the log line and metrics", ("wide_lines", "event_log", "powertools", "logging/")),
            Part("steps and rules of a call", ("paydispatch/services", "paydispatch/domain")),
            Part("the stand-in for Lambda's poller", ("paydispatch/local",)),
            _LOOP,
        ),
    ),
)
