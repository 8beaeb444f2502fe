"""`paydispatch env` prints the outputs of a stack that name variables, and the URL of Redis only on request."""

from __future__ import annotations

import json
import subprocess
from threading import Timer
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.stub import Stubber
from stack_template import load

from paydispatch.adapters.aws import stack_outputs
from paydispatch.adapters.aws.stack_outputs import StackOutputs
from paydispatch.cli.commands import env
from paydispatch.cli.main import main
from paydispatch.domain.errors import BadSetting
from paydispatch.local.addresses import Addresses
from paydispatch.settings import SdkSettings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PASSWORD_URL = "rediss://pd-operator:it's secret@redis.example:6379?cluster=true"
OUTPUTS = [
    {"OutputKey": "RequestQueueUrl", "OutputValue": "https://q", "Description": "REQUEST_QUEUE_URL"},
    {"OutputKey": "QueueTenant", "OutputValue": "a b", "Description": "QUEUE_TENANT, also for you"},
    {"OutputKey": "ApiUrl", "OutputValue": "https://api", "Description": "Base URL of the API"},
    {"OutputKey": "RedisUrlSecret", "OutputValue": "arn:secret", "Description": "Secret with it"},
    {"OutputKey": "Odd", "OutputValue": "x"},
]  # fmt: skip


class Aws:
    """Both clients with answers from a list."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        no_one: dict[str, Any] = {"aws_access_key_id": "a", "aws_secret_access_key": "b"}
        self._stacks = boto3.client("cloudformation", "eu-central-1", **no_one)
        self._secrets = boto3.client("secretsmanager", "eu-central-1", **no_one)
        self.stacks, self.secrets = Stubber(self._stacks), Stubber(self._secrets)
        self.stacks.activate()
        self.secrets.activate()
        monkeypatch.setattr(env, "stack_outputs", lambda: StackOutputs(self._stacks, self._secrets))

    def describe(self, outputs: list[dict[str, str]]) -> None:
        stack = {"StackName": "pd", "CreationTime": 0, "StackStatus": "CREATE_COMPLETE"}
        answer = {"Stacks": [{**stack, "Outputs": outputs}]}
        self.stacks.add_response("describe_stacks", answer, {"StackName": "pd"})


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    return Aws(monkeypatch)


def test_a_shell_gets_the_variables_and_no_password(
    aws: Aws, capsys: pytest.CaptureFixture[str]
) -> None:
    aws.describe(OUTPUTS)

    assert main(["env", "--stack", "pd"]) == 0

    printed = capsys.readouterr()
    assert printed.out.splitlines() == [
        "export QUEUE_TENANT='a b'",
        "export REQUEST_QUEUE_URL=https://q",
    ]
    assert "--redis-url" in printed.err


def test_a_shell_reads_the_url_of_redis_as_it_is(
    aws: Aws, capsys: pytest.CaptureFixture[str]
) -> None:
    aws.describe(OUTPUTS)
    aws.describe(OUTPUTS)
    aws.secrets.add_response(
        "get_secret_value", {"SecretString": PASSWORD_URL}, {"SecretId": "arn:secret"}
    )

    assert main(["env", "--stack", "pd", "--redis-url"]) == 0

    lines = capsys.readouterr().out
    read = subprocess.run(
        ["sh", "-c", f'{lines}\nprintf %s "$REDIS_URL"'], check=True, text=True, capture_output=True
    )
    assert read.stdout == PASSWORD_URL


def test_a_program_gets_one_json_object(aws: Aws, capsys: pytest.CaptureFixture[str]) -> None:
    aws.describe(OUTPUTS)

    assert main(["env", "--stack", "pd", "--json"]) == 0

    assert json.loads(capsys.readouterr().out) == {
        "QUEUE_TENANT": "a b",
        "REQUEST_QUEUE_URL": "https://q",
    }


@pytest.mark.parametrize(
    ("code", "said", "expected"),
    [
        ("ValidationError", "Stack with id pd does not exist", "there is no 'pd'"),
        ("AccessDenied", "User may not describe stacks", "User may not describe stacks"),
    ],
)
def test_a_stack_that_cannot_be_read_is_an_error_of_one_line(
    code: str, said: str, expected: str, aws: Aws, capsys: pytest.CaptureFixture[str]
) -> None:
    aws.stacks.add_client_error("describe_stacks", code, said)

    assert main(["env", "--stack", "pd"]) == 2

    (line,) = capsys.readouterr().err.splitlines()
    assert expected in line


def test_an_older_stack_without_the_secret_is_named(
    aws: Aws, capsys: pytest.CaptureFixture[str]
) -> None:
    aws.describe([])
    aws.describe([])

    assert main(["env", "--stack", "pd", "--redis-url"]) == 2

    assert "has no output RedisUrlSecret" in capsys.readouterr().err


class TestLocal:
    STACK = Addresses(
        api="http://127.0.0.1:1",
        aws_endpoint="http://127.0.0.1:2",
        queue_url="http://127.0.0.1:2/requests",
        batch_queue_url="http://127.0.0.1:2/batch",
        dead_letter_queue_url="http://127.0.0.1:2/dead",
        look_queue_url="http://127.0.0.1:2/looks",
        exhausted_queue_url="http://127.0.0.1:2/exhausted",
        redis_url="redis://127.0.0.1:3",
        stripe_base="http://127.0.0.1:4",
        sealing_key_id="alias/paydispatch",
    )

    def test_the_line_of_a_local_stack_is_the_environment_of_a_program(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        file = tmp_path / "stack.json"
        file.write_text(json.dumps(self.STACK.as_json()) + "\n")

        assert main(["env", "--local", str(file), "--json"]) == 0

        variables = json.loads(capsys.readouterr().out)
        SdkSettings.from_env(variables)
        assert variables["REDIS_URL"] == "redis://127.0.0.1:3"
        assert variables["AWS_ENDPOINT_URL"] == "http://127.0.0.1:2"

    def test_the_line_of_a_stack_that_still_starts_is_waited_for(self, tmp_path: Path) -> None:
        file = tmp_path / "stack.json"
        file.write_text('{"api": ')
        line = json.dumps(self.STACK.as_json()) + "\n"
        late = Timer(0.05, file.write_text, (line,))
        late.start()

        variables = env.local_variables(file)

        late.join()
        assert variables == self.STACK.variables()

    def test_a_stack_that_does_not_start_is_an_error(self, tmp_path: Path) -> None:
        file = tmp_path / "stack.json"
        file.touch()
        with pytest.raises(BadSetting, match="does not have the line"):
            env.local_variables(file, within_s=0)

    @pytest.mark.parametrize("text", ["[1]\n", "notes\n", '{"api": "http://127.0.0.1:1"}\n'])
    def test_another_file_is_named_at_once(
        self, text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        file = tmp_path / "stack.json"
        file.write_text(text)

        assert main(["env", "--local", str(file)]) == 2

        assert "is not what `paydispatch local --json` printed" in capsys.readouterr().err


def test_the_outputs_of_the_template_name_what_an_operator_s_commands_read() -> None:
    named = {
        found[1]
        for output in load().outputs.values()
        if (found := stack_outputs._VARIABLE.fullmatch(output["Description"]))
    }

    assert named == {
        *("REQUEST_QUEUE_URL", "BATCH_QUEUE_URL", "DEAD_LETTER_QUEUE_URL", "LOOK_QUEUE_URL"),
        *(
            "EXHAUSTED_QUEUE_URL",
            "DOORBELL_QUEUE_URL",
            "SEALING_KEY_ID",
            "QUEUE_TENANT",
            "AWS_DEFAULT_REGION",
        ),
        *("STRIPE_API_BASE", "STRIPE_API_VERSION"),
        *("STRIPE_LIMIT_LIVE", "STRIPE_LIMIT_SANDBOX", "STRIPE_LIMIT_OPERATION"),
    }
    assert stack_outputs.REDIS_URL_SECRET in load().outputs
