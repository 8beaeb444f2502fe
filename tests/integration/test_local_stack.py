"""The local stack with stub handlers: its gateways, pollers and stores, and its end without leftover processes."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest
import redis

from paydispatch.domain.limits import LONGEST_DEADLINE_S
from paydispatch.local.processes import PartFailed
from paydispatch.local.settings import LocalSettings, local_aws
from paydispatch.local.stack import LocalStack

_PROJECT = Path(__file__).parents[2]
_WITHIN_S = 20
_MIB = 1_048_576

# Returns its event. One path makes it fail.
_API = """
import json
def handler(event, context):
    if event["rawPath"] == "/raise":
        raise ValueError("a bug")
    headers = {"x-remaining": str(context.get_remaining_time_in_millis())}
    return {"statusCode": 200, "headers": headers, "body": json.dumps(event), "cookies": ["a=1"]}
"""

# Records every message. A message "fail" stays on the queue of its lane, and a message "hang" takes too long.
_CALLER = """
import os, time, redis
store = redis.Redis.from_url(os.environ["REDIS_URL"])
def handler(event, context):
    exhausted = event["Records"][0]["eventSourceARN"].endswith("-exhausted")
    for record in event["Records"]:
        store.rpush("exhausted" if exhausted else "seen", record["body"])
        if record["body"] == "hang" and record["attributes"]["ApproximateReceiveCount"] == "1":
            time.sleep(60)
    failed = [] if exhausted else [one for one in event["Records"] if one["body"] == "fail"]
    return {"batchItemFailures": [{"itemIdentifier": record["messageId"]} for record in failed]}
"""

_TWIN = """
import json, time
print(json.dumps({"stripe_base": "http://127.0.0.1:9"}), flush=True)
time.sleep(600)
"""

_WORKER = "import time\ntime.sleep(600)\n"

_PARENT = """
import json, sys, time
from paydispatch.local.settings import LocalSettings
from paydispatch.local.stack import LocalStack
with LocalStack(LocalSettings(**json.loads(sys.argv[1]))) as stack:
    print(json.dumps({"pids": stack.pids, "directory": str(stack.directory)}), flush=True)
    time.sleep(600)
"""


def _stubs(directory: Path) -> dict[str, Any]:
    """Settings that run the stubs instead of the real programs, with short times."""
    stubs = {"stub_api": _API, "stub_caller": _CALLER, "twin": _TWIN, "worker": _WORKER}
    for name, source in stubs.items():
        (directory / f"{name}.py").write_text(source)
    path = os.pathsep.join(filter(None, (str(directory), os.environ.get("PYTHONPATH"))))
    return {
        "api_handler": "stub_api.handler",
        "caller_handler": "stub_caller.handler",
        "twin_command": (sys.executable, str(directory / "twin.py")),
        "worker_command": (sys.executable, str(directory / "worker.py")),
        "function_timeout_s": 1,
        "visibility_timeout_s": 2,
        "max_receives": 2,
        "environment": {"PYTHONPATH": path},
    }


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    with LocalStack(LocalSettings(**_stubs(tmp_path_factory.mktemp("stubs")))) as stack:
        yield stack


@pytest.fixture
def store(stack: LocalStack) -> Iterator["redis.Redis[str]"]:
    with redis.Redis.from_url(stack.addresses.redis_url, decode_responses=True) as store:
        store.flushdb()
        yield store


@pytest.fixture(scope="module")
def aws(stack: LocalStack) -> Callable[[str], Any]:
    settings = local_aws(stack.addresses.aws_endpoint)
    session = boto3.Session(
        settings["AWS_ACCESS_KEY_ID"], settings["AWS_SECRET_ACCESS_KEY"], region_name="us-east-1"
    )
    return lambda service: session.client(service, endpoint_url=settings["AWS_ENDPOINT_URL"])


def test_the_addresses_are_the_ones_of_the_contract(stack: LocalStack) -> None:
    assert list(stack.addresses.as_json()) == [
        "api",
        "aws_endpoint",
        "queue_url",
        "batch_queue_url",
        "dead_letter_queue_url",
        "look_queue_url",
        "exhausted_queue_url",
        "redis_url",
        "stripe_base",
        "sealing_key_id",
        "console",
    ]


def test_the_api_converts_a_request_to_an_event_and_the_answer_to_a_response(
    stack: LocalStack,
) -> None:
    status, headers, body = _http(stack.addresses.api + "/v1/products?a=1&a=2", b'{"name": "x"}')
    event = json.loads(body)
    assert status == 200
    assert (event["rawPath"], event["rawQueryString"]) == ("/v1/products", "a=1&a=2")
    assert event["body"] == '{"name": "x"}'
    assert event["requestContext"]["http"]["method"] == "POST"
    assert 0 < int(headers["x-remaining"]) <= 30_000
    assert headers["Set-Cookie"] == "a=1"


def test_a_body_over_the_gateways_limit_is_refused_in_front_of_the_handler(
    stack: LocalStack,
) -> None:
    status, _, body = _http(stack.addresses.api + "/v1/products", b"x" * (10 * _MIB + 1))
    assert (status, body) == (413, b'{"message":"Request Too Long"}')


def test_a_handler_that_raises_leads_to_a_500_without_a_traceback(stack: LocalStack) -> None:
    status, _, body = _http(stack.addresses.api + "/raise")
    assert (status, body) == (500, b'{"message":"Internal Server Error"}')


@pytest.mark.parametrize("lane", ["queue_url", "batch_queue_url"])
def test_a_message_of_either_lane_reaches_the_caller(
    stack: LocalStack, store: "redis.Redis[str]", aws: Callable[[str], Any], lane: str
) -> None:
    url = getattr(stack.addresses, lane)
    aws("sqs").send_message(QueueUrl=url, MessageBody=lane, MessageGroupId="0" * 32)
    _eventually(lambda: store.lrange("seen", 0, -1) == [lane])


def test_only_a_failed_message_is_received_again_until_it_comes_from_the_exhausted_queue(
    stack: LocalStack, store: "redis.Redis[str]", aws: Callable[[str], Any]
) -> None:
    _send(aws, stack, "good", "fail", "good")
    _eventually(lambda: store.lrange("exhausted", 0, -1) == ["fail"])
    seen = store.lrange("seen", 0, -1)
    assert (seen.count("fail"), seen.count("good")) == (2, 2)


def test_a_function_past_its_timeout_is_killed_and_its_message_received_again(
    stack: LocalStack, store: "redis.Redis[str]", aws: Callable[[str], Any]
) -> None:
    _send(aws, stack, "hang")
    _eventually(lambda: store.lrange("seen", 0, -1) == ["hang", "hang"])


def test_the_queue_accepts_a_message_of_sqs_s_maximum_size(
    stack: LocalStack, store: "redis.Redis[str]", aws: Callable[[str], Any]
) -> None:
    aws("sqs").send_message(QueueUrl=stack.addresses.queue_url, MessageBody="x" * _MIB)
    _eventually(lambda: store.llen("seen") == 1)


def test_queues_outlast_the_longest_deadline_and_dead_letters_are_kept_longer(
    stack: LocalStack, aws: Callable[[str], Any]
) -> None:
    addresses = stack.addresses
    urls = (addresses.queue_url, addresses.batch_queue_url, addresses.dead_letter_queue_url)
    interactive_s, batch_s, dead_s = (_kept_s(aws("sqs"), url) for url in urls)
    assert LONGEST_DEADLINE_S < interactive_s == batch_s < dead_s


def test_the_sealing_key_seals_and_the_demos_secret_is_there(
    stack: LocalStack, aws: Callable[[str], Any]
) -> None:
    sealed = aws("kms").encrypt(KeyId=stack.addresses.sealing_key_id, Plaintext=b"sk")
    assert aws("kms").decrypt(CiphertextBlob=sealed["CiphertextBlob"])["Plaintext"] == b"sk"
    secret = aws("secretsmanager").get_secret_value(SecretId="paydispatch/local/demo")
    assert secret["SecretString"].startswith("sk_test_")


def test_redis_is_behind_a_password(stack: LocalStack) -> None:
    host = stack.addresses.redis_url.partition("@")[2]
    with (
        redis.Redis.from_url(f"redis://{host}") as stranger,
        pytest.raises(redis.AuthenticationError),
    ):
        stranger.ping()


@pytest.mark.parametrize("page", [{"Origin": "https://evil.example"}, {"Host": "evil.example"}])
def test_a_web_page_can_call_neither_the_api_nor_the_queues(
    stack: LocalStack, page: dict[str, str]
) -> None:
    action = {"Action": "SendMessage", "MessageBody": "{}", "QueueUrl": stack.addresses.queue_url}
    posts = [
        httpx.post(stack.addresses.api + "/v1/products", content=b"{}", headers=page),
        httpx.post(stack.addresses.aws_endpoint, data=action, headers=page),
    ]
    assert [post.status_code for post in posts] == [403, 403]


def test_a_killed_gateway_is_started_again_at_its_address(stack: LocalStack) -> None:
    before = stack.pids["gateway-1"]
    os.kill(before, signal.SIGKILL)
    _eventually(lambda: stack.pids.get("gateway-1", before) != before)
    assert _http(stack.addresses.api + "/health")[0] == 200


def test_the_queues_keep_their_messages_over_a_restart_of_the_server(
    stack: LocalStack, store: "redis.Redis[str]", aws: Callable[[str], Any]
) -> None:
    aws("sqs").send_message(QueueUrl=stack.addresses.queue_url, MessageBody="later", DelaySeconds=2)
    stack.restart("ministack")
    _eventually(lambda: store.lrange("seen", 0, -1) == ["later"])


def test_a_part_that_does_not_start_is_reported_with_its_last_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    broken = _stubs(tmp_path) | {"caller_handler": "no_such_module.handler"}
    with pytest.raises(PartFailed, match=r"(?s)poller-interactive-1.*no_such_module"):
        LocalStack(LocalSettings(**broken)).__enter__()
    assert list(tmp_path.glob("paydispatch-*/poller-interactive-1.log"))


def test_a_port_in_use_is_reported_as_the_failure_of_the_gateway(
    stack: LocalStack, tmp_path: Path
) -> None:
    port = int(stack.addresses.api.rpartition(":")[2])
    with pytest.raises(PartFailed, match=f"gateway cannot listen on port {port}"):
        LocalStack(LocalSettings(**_stubs(tmp_path), port=port), tell=print).__enter__()


def test_no_process_outlives_a_killed_parent_while_another_stack_runs(
    stack: LocalStack, tmp_path: Path
) -> None:
    command = (sys.executable, "-c", _PARENT, json.dumps(_stubs(tmp_path)))
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        started = json.loads(parent.stdout.readline())
        parent.kill()
    _eventually(lambda: not [pid for pid in started["pids"].values() if _runs(pid)])
    _eventually(lambda: not Path(started["directory"]).exists())
    assert all(_runs(pid) for pid in stack.pids.values())


def test_an_orderly_end_leaves_no_processes_and_no_files(tmp_path: Path) -> None:
    with LocalStack(LocalSettings(**_stubs(tmp_path))) as stack:
        pids = stack.pids
    assert not [pid for pid in pids.values() if _runs(pid)]
    assert not stack.directory.exists()


def test_the_command_prints_one_line_when_ready_and_ends_well_on_sigterm() -> None:
    command = (sys.executable, "-m", "paydispatch", "local", "--json")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=_PROJECT) as local:
        assert local.stdout
        addresses = json.loads(local.stdout.readline())
        status, _, _ = _http(addresses["api"] + "/health")
        local.terminate()
        rest = local.stdout.read()
    assert (status, rest, local.returncode) == (200, "", 0)
    with pytest.raises(httpx.ConnectError):
        _http(addresses["aws_endpoint"])


_MARKING_FLOW = """
from pathlib import Path
def run(outcome, flow):
    with Path({marks!r}).open("a") as marks:
        marks.write("{word}")
"""


def test_the_command_runs_a_changed_flow_and_keeps_its_ports_and_its_state(tmp_path: Path) -> None:
    marks, flows = tmp_path / "marks", tmp_path / "marking_flows"
    flows.mkdir()
    marks.touch()
    script = flows / "any_response.py"
    script.write_text(_MARKING_FLOW.format(marks=str(marks), word="old"))
    (flows / "any_error.py").write_text("def run(error, flow): ...\n")
    command = (sys.executable, "-m", "paydispatch", "local", "--json", "--flows", str(flows))
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as local:
        try:
            api = json.loads(local.stdout.readline())["api"]
            first = _create_product(api)
            _wait_for(lambda: marks.read_text() == "old")
            script.write_text(_MARKING_FLOW.format(marks=str(marks), word="newer"))
            while "The worker has the changed flows: any_response.py." not in (
                line := local.stderr.readline()
            ):
                assert line, "the command ended"
            _create_product(api)
            _wait_for(lambda: marks.read_text() == "oldnewer")
            assert _http(f"{api}/v1/requests/{first}")[0] == 200
        finally:
            local.terminate()


def _create_product(api: str) -> str:
    asked = {
        "worker_id": "w1",
        "context_id": "c1",
        "stripe_secret": "sk_test_anything",
        "params": {"name": "Tea"},
    }
    status, _, body = _http(f"{api}/v1/products", json.dumps(asked).encode())
    assert status == 202, body
    return str(json.loads(body)["request_id"])


def _wait_for(condition: Callable[[], bool]) -> None:
    give_up_at = time.monotonic() + 3 * _WITHIN_S
    while not condition():
        assert time.monotonic() < give_up_at, "it did not happen in time"
        time.sleep(0.05)


def test_the_command_names_the_part_that_does_not_start(stack: LocalStack) -> None:
    port = stack.addresses.api.rpartition(":")[2]
    command = (sys.executable, "-m", "paydispatch", "local", "--port", port)
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"paydispatch local: gateway cannot listen on port {port}")


def _http(url: str, body: bytes | None = None) -> tuple[int, Any, bytes]:
    answer = httpx.request("POST" if body else "GET", url, content=body, timeout=_WITHIN_S)
    return answer.status_code, answer.headers, answer.content


def _send(aws: Callable[[str], Any], stack: LocalStack, *bodies: str) -> None:
    entries = [{"Id": str(place), "MessageBody": body} for place, body in enumerate(bodies)]
    aws("sqs").send_message_batch(QueueUrl=stack.addresses.queue_url, Entries=entries)


def _kept_s(sqs: Any, queue_url: str) -> int:
    named = ["MessageRetentionPeriod"]
    answer = sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=named)
    return int(answer["Attributes"]["MessageRetentionPeriod"])


def _eventually(condition: Callable[[], bool]) -> None:
    """Wait a bounded time until a condition in other processes is true."""
    deadline = time.monotonic() + _WITHIN_S
    while time.monotonic() < deadline:
        if condition():
            return
        time.sleep(0.02)
    pytest.fail("the condition was not true in time")


def _runs(pid: int) -> bool:
    """Return whether the process runs. A zombie that its adoptive parent has not reaped does not count."""
    try:
        os.kill(pid, 0)
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except ProcessLookupError:
        return False
    except FileNotFoundError:  # the process has ended, or the system has no /proc
        return not Path("/proc/self").exists()
    return state != "Z"
