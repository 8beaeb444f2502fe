"""The zips as `sam` uploads them, and the same code under AWS's own runtime emulator."""

from __future__ import annotations

import ast
import hashlib
import json
import sys
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from backing import local_stack
from build_function import ROOT, build, lambda_target
from emulator import EmulatedFunction
from run_event import as_if_sent_now, variables_of
from slim import AWS_SERVICES
from tests.integration.host_functions import STACK, UV

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from emulator import Answer
    from tests.integration.host_functions import HostFunctions

pytestmark = pytest.mark.build

PACKAGES = {name: f["Handler"].partition(".")[0] for name, f in STACK.functions.items()}
IN_THE_RUNTIME = {"boto3", "botocore", "s3transfer", "jmespath", "dateutil", "urllib3", "six.py"}
NOT_LOADED = {"anyio", "boto3", "cffi", "h11", "httpcore", "pycparser", "s3transfer"}
# Lambda's limit for a zip and its layers, unpacked.
UNPACKED_LIMIT_BYTES = 250 * 1024 * 1024
ELF_MACHINES = {"arm64": 0xB7, "x86_64": 0x3E}


@pytest.fixture(scope="module", params=PACKAGES.values())
def zip_content(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The content that `sam build` puts into one function's zip. The directory has the package's name."""
    out = tmp_path_factory.mktemp("zips") / str(request.param)
    build(request.param, out, lambda_target(UV), UV)
    return out


def test_a_zip_contains_only_its_own_function(zip_content: Path) -> None:
    ours = {path.name for path in zip_content.iterdir()} & {"paydispatch", *PACKAGES.values()}

    assert ours == {"paydispatch", zip_content.name}


@pytest.mark.parametrize("folder", ["compose", "handlers"])
def test_a_zip_contains_only_its_own_composition_and_handler(
    zip_content: Path, folder: str
) -> None:
    held = {path.stem for path in (zip_content / "paydispatch" / folder).iterdir()}

    assert held & set(PACKAGES.values()) <= {zip_content.name}


def test_a_zip_omits_libraries_that_it_never_loads_and_the_local_programs(
    zip_content: Path,
) -> None:
    libraries = {path.name for path in zip_content.iterdir()}

    assert not libraries & (IN_THE_RUNTIME if zip_content.name == "flow_runner" else NOT_LOADED)
    assert not (zip_content / "paydispatch" / "local").exists()
    assert not (zip_content / "paydispatch" / "testing").exists()
    assert not (zip_content / "paydispatch" / "twin").exists()
    assert not (zip_content / "paydispatch" / "cli").exists()


def test_a_zip_contains_the_models_of_our_aws_services_alone(zip_content: Path) -> None:
    """The flow runner's has none, because it would hide that of the runtime, which flows may use with any service."""
    data = zip_content / "botocore" / "data"

    held = {path.name for path in data.glob("*") if path.is_dir()}
    assert held == (set() if zip_content.name == "flow_runner" else AWS_SERVICES)


def test_flows_may_import_any_module_of_the_flow_runner_s_libraries(zip_content: Path) -> None:
    if zip_content.name == "flow_runner":
        assert is_in(zip_content, "aws_lambda_powertools.utilities.parameters")
        assert is_in(zip_content, "redis.commands.search.query")


def test_a_zip_contains_every_module_that_its_code_imports(zip_content: Path) -> None:
    """Also those that are imported inside a function, on a path that no example event takes."""
    sources = [zip_content / zip_content.name, zip_content / "paydispatch"]
    files = [file for source in sources for file in source.rglob("*.py")]
    named = {name for file in files for name in imported(ast.parse(file.read_text("utf-8")))}

    missing = {name for name in named if not is_in(zip_content, name)}

    assert {name for name in missing if name.partition(".")[0] not in MAY_BE_MISSING} == set()


# These are imported by the SDK alone, by the parts of other functions, or only where they are installed.
# The runtime of Lambda has snapshot_restore_py.
MAY_BE_MISSING = {
    *("aiohttp", "boto3", "botocore", "certifi", "cryptography", "httpx", "msgspec", "yarl"),
    "snapshot_restore_py",
}


def imported(tree: ast.AST) -> Iterator[str]:
    """Yield the modules that code imports, but not those that it imports for its types."""
    if isinstance(tree, ast.If) and ast.unparse(tree.test) == "TYPE_CHECKING":
        return
    if isinstance(tree, ast.Import):
        yield from (name.name for name in tree.names)
    if isinstance(tree, ast.ImportFrom) and tree.module:
        yield tree.module
    for child in ast.iter_child_nodes(tree):
        yield from imported(child)


def is_in(zip_content: Path, name: str) -> bool:
    path = zip_content.joinpath(*name.split("."))
    top = name.partition(".")[0]
    return (
        top in sys.stdlib_module_names
        or path.is_dir()
        or path.with_suffix(".py").is_file()
        or any(path.parent.glob(f"{path.name}.*.so"))
    )


def test_the_same_code_makes_the_same_zip(zip_content: Path, tmp_path: Path) -> None:
    again = tmp_path / zip_content.name
    build(zip_content.name, again, lambda_target(UV), UV)

    assert content_of(again) == content_of(zip_content)


def content_of(directory: Path) -> dict[str, tuple[float, str]]:
    """Return the time and the hash of each file."""
    return {
        str(path.relative_to(directory)): (
            path.stat().st_mtime,
            hashlib.sha256(path.read_bytes()).hexdigest(),
        )
        for path in directory.rglob("*")
        if path.is_file()
    }


def test_only_the_flow_runner_s_zip_contains_flows(zip_content: Path) -> None:
    assert (zip_content / "flows").is_dir() == (zip_content.name == "flow_runner")


def test_a_zip_s_machine_code_is_for_the_template_s_architecture(zip_content: Path) -> None:
    architecture = STACK.functions["ApiFunction"]["Architectures"][0]
    machines = {path.read_bytes()[18] for path in zip_content.rglob("*.so")}

    assert machines == {ELF_MACHINES[architecture]}


def test_a_zip_s_bytecode_does_not_depend_on_file_times(zip_content: Path) -> None:
    bytecode = list(zip_content.rglob("*.pyc"))
    if lambda_target(UV).interpreter is None:
        pytest.skip("no Python of the Lambda's version here to compile with")

    assert len(bytecode) == len(list(zip_content.rglob("*.py")))
    assert {path.read_bytes()[4] for path in bytecode} == {0b01}  # by hash, never checked


def test_a_zip_is_far_below_the_limit(zip_content: Path) -> None:
    size = sum(path.stat().st_size for path in zip_content.rglob("*") if path.is_file())

    assert size < UNPACKED_LIMIT_BYTES / 2


@pytest.fixture(scope="module")
def services() -> Iterator[dict[str, str]]:
    with local_stack() as variables:
        yield variables


@pytest.fixture(scope="module")
def run(
    services: Mapping[str, str], host: HostFunctions
) -> Callable[[str, str], tuple[Answer, list[str]]]:
    """Run a built function on an example event: `run("ApiFunction", "api_health")`."""

    def on_event(name: str, event: str) -> tuple[Answer, list[str]]:
        message = json.loads((ROOT / "tests" / "events" / f"{event}.json").read_text())
        built = host.built(name)
        environment = variables_of(built, STACK, services)
        with EmulatedFunction(built, host.runtime, environment) as function:
            return function.invoke(as_if_sent_now(message)), function.logs

    return on_event


def test_the_api_is_healthy(run: Any) -> None:
    answer, _ = run("ApiFunction", "api_health")

    assert answer.body["statusCode"] == 200


def test_the_api_accepts_a_payment_intent(run: Any) -> None:
    answer, logs = run("ApiFunction", "api_create_payment_intent")

    assert answer.body["statusCode"] == 202
    assert json.loads(answer.body["body"])["status"] == "dispatched"
    assert "sk_test_example" not in "".join(logs)


def test_a_message_creates_an_object_at_stripe_and_runs_a_flow(run: Any) -> None:
    called, settled = run("StripeCallerFunction", "sqs_create")
    rung, ran = run("FlowRunnerFunction", "doorbell")

    assert called.body == rung.body == {"batchItemFailures": []}
    assert any('"new_create_coupon_response"' in line for line in settled)
    assert any('"new_create_coupon_response"' in line for line in ran)


def test_a_message_that_is_not_json_is_parked_without_failing_its_neighbour(
    run: Any, services: Mapping[str, str]
) -> None:
    answer, logs = run("StripeCallerFunction", "sqs_batch_mixed")

    assert answer.body == {"batchItemFailures": []}
    assert any('"new_create_coupon_response"' in line for line in logs)
    assert receive_parked(services) == ["{ this is not JSON"]


def test_the_hourly_schedule_looks_for_unknown_outcomes(run: Any) -> None:
    answer, _ = run("ReconcileFunction", "schedule_reconcile")

    assert not answer.failed
    assert answer.body["left"] == 0


def test_a_sweep_looks_at_every_stream(run: Any) -> None:
    answer, _ = run("FlowRunnerFunction", "schedule_sweep")

    assert not answer.failed


def receive_parked(services: Mapping[str, str]) -> list[str]:
    sqs = boto3.client(
        "sqs",
        endpoint_url=services["AWS_ENDPOINT_URL"],
        region_name="us-east-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",
    )
    answer = sqs.receive_message(QueueUrl=services["DEAD_LETTER_QUEUE_URL"], WaitTimeSeconds=5)
    sqs.close()
    return [message["Body"] for message in answer.get("Messages", [])]


def test_the_operator_s_function_runs_a_command(run: Any) -> None:
    answer, logs = run("OperatorFunction", "operator_doctor")

    assert not answer.failed
    assert {queue["name"] for queue in answer.body["document"]["queues"]} >= {"dead letters"}
    (line,) = (line for line in map(json.loads, logs) if line.get("message") == "command.done")
    assert (line["command"], line["caller"].rpartition("/")[2]) == ("doctor", "ada")
