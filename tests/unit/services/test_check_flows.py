"""A check finds each fault of a flows folder before an outcome does, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from paydispatch.adapters.flow_scripts import FlowFolder
from paydispatch.adapters.project_code import python_files
from paydispatch.domain.flow_checks.operations_in_use import operations_in
from paydispatch.domain.stripe.operations import all_operations
from paydispatch.services.check_flows import check_flows, report_faults
from paydispatch.testing.memory_event_log import MemoryEventLog

if TYPE_CHECKING:
    from pathlib import Path

    from paydispatch.services.check_flows import FlowCheck

RUN = "def run(outcome, flow): ...\n"


pytestmark = pytest.mark.usefixtures("restored_modules")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / f"checked_{tmp_path.name}"
    folder.mkdir()
    return folder


async def check(folder: Path, *names: str, used: str = "", **texts: str) -> FlowCheck:
    """Check a folder with these flows, and with files of these texts."""
    for name, text in {**dict.fromkeys(names, RUN), **texts}.items():
        (folder / f"{name}.py").write_text(text)
    operations = dict.fromkeys(used.split(), "shop.py:7")
    return await check_flows(FlowFolder(folder, import_timeout_s=5.0), operations)


async def test_a_whole_folder_has_no_fault(folder: Path) -> None:
    found = await check(
        folder,
        "new_create_price_response",
        "new_create_price_error",
        "any_error",
        "any_response",
        "helper",
        "http_error",
        "__init__",
        used="create_price cancel_subscription",
    )
    assert found.faults == ()
    assert found.scripts == (
        "any_error",
        "any_response",
        "new_create_price_error",
        "new_create_price_response",
    )


@pytest.mark.parametrize(
    ("name", "right"),
    [
        ("new_price_response", "name it new_create_price_response.py"),
        ("create_price_error", "name it new_create_price_error.py"),
        ("New_Create_Price_Error", "name it new_create_price_error.py"),
        ("new-create-price-error", "name it new_create_price_error.py"),
        ("any_responses", "name it any_response.py"),
        ("new_create_prise_error", "there is no operation create_prise"),
        ("new_create_price", "name it new_<operation>_response.py or new_<operation>_error.py"),
    ],
)
async def test_a_misnamed_flow_is_found_with_its_right_name(
    folder: Path, name: str, right: str
) -> None:
    found = await check(folder, name, "any_response", "any_error")
    (fault,) = found.faults
    assert (fault.subject, fault.next_step[: len(right)]) == (name, right)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("import nothing_of_this_name\n", "nothing_of_this_name"),
        ("def run(outcome, flow:\n", "SyntaxError"),
        ("def ran(outcome, flow): ...\n", "has no function `run`"),
        ("def run(outcome): ...\n", "cannot take two arguments"),
        ("def run(outcome, flow, db): ...\n", "cannot take two arguments"),
        ("def run(outcome, flow): yield\n", "is a generator"),
        ("RETRY = 5\n" + RUN, "RETRY"),
        ("raise SystemExit('no database')\n", "no database"),
    ],
)
async def test_a_script_that_could_not_run_is_a_fault(folder: Path, text: str, said: str) -> None:
    found = await check(folder, "any_error", any_response=text)
    (fault,) = found.faults
    assert fault.subject == "any_response"
    assert said in fault.fault


@pytest.mark.parametrize(
    "run",
    [
        "async def run(parsed_data, flow): ...",
        "def run(*arguments): ...",
        "def run(outcome, flow, *, quiet=False, **others): ...",
        "class Run:\n    def __call__(self, outcome, flow): ...\nrun = Run()",
        "import functools\nrun = functools.partial(lambda db, outcome, flow: None, 1)",
    ],
)
async def test_any_run_that_takes_the_two_arguments_is_right(folder: Path, run: str) -> None:
    assert (await check(folder, "any_error", any_response=run)).faults == ()


async def test_an_operation_in_use_without_a_script_is_a_fault(folder: Path) -> None:
    found = await check(folder, "any_response", used="create_refund")
    (fault,) = found.faults
    assert (fault.subject, fault.fault) == (
        "create_refund",
        "it has no error script, and is used in shop.py:7",
    )
    assert "paydispatch new-flow create_refund" in fault.next_step


async def test_a_response_script_alone_is_a_fault(folder: Path) -> None:
    found = await check(folder, "new_create_price_response")
    assert [(fault.subject, fault.fault) for fault in found.faults] == [
        ("create_price", "it has no error script")
    ]


async def test_a_worker_of_some_scripts_imports_no_others(folder: Path) -> None:
    (folder / "any_response.py").write_text("import a_library_of_the_other_process\n")
    (folder / "any_error.py").write_text(RUN)
    log = MemoryEventLog()
    await report_faults(FlowFolder(folder), log, ["any_error", "new_create_refund_*"])
    ((event, line),) = log.lines
    assert (event, line["script"]) == ("flow.faulty", "new_create_refund_*")


async def test_a_worker_writes_a_line_for_each_fault_and_goes_on(folder: Path) -> None:
    (folder / "any_response.py").write_text("def run(outcome): ...\n")
    (folder / "any_error.py").write_text(RUN)
    log = MemoryEventLog()
    await report_faults(FlowFolder(folder), log)
    ((event, line),) = log.lines
    assert (event, line["script"]) == ("flow.faulty", "any_response")


async def test_a_folder_that_is_gone_ends_no_worker(folder: Path) -> None:
    scripts, log = FlowFolder(folder), MemoryEventLog()
    folder.rmdir()  # noqa: ASYNC240
    await report_faults(scripts, log)
    assert log.events() == ["flows.unreadable"]


@pytest.mark.parametrize(
    ("text", "operations"),
    [
        ("from paydispatch import new_price\nnew_price().currency('eur')", {"create_price": 2}),
        ("import paydispatch\npaydispatch.new_checkout_session()", {"create_checkout_session": 2}),
        ("create_coupon_async({}, 'w', 'c', key)", {"create_coupon": 1}),
        (
            "from paydispatch.operations import capture_payment_intent\n\ncapture_payment_intent('pi_1')",
            {"capture_payment_intent": 3},
        ),
        (
            "from paydispatch import operations\noperations.cancel_subscription('s')",
            {"cancel_subscription": 2},
        ),
        ("def run(d, flow):\n    flow.cancel_payment_intent('pi_1')", {"cancel_payment_intent": 2}),
        ("def capture_payment_intent(): ...\ncapture_payment_intent()", {}),
        ("stripe.PaymentIntent.create()\nobject.cancel_subscription('s')", {}),
        ("not python", {}),
        ("\0", {}),
    ],
)
def test_the_operations_of_a_file_are_those_that_it_calls(
    text: str, operations: dict[str, int]
) -> None:
    assert operations_in(text) == operations


def test_every_operation_is_found_at_the_module_of_operations() -> None:
    names = [operation.name for operation in all_operations()]
    text = "\n".join(f"operations.{name}()" for name in names)
    assert list(operations_in(text)) == names


def test_a_project_is_read_without_tests_and_environments(tmp_path: Path) -> None:
    for path in (
        "shop.py",
        "app/orders.py",
        "tests/test_shop.py",
        "test_other.py",
        ".venv/lib/paydispatch.py",
        "env/lib/x.py",
    ):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("import paydispatch\n")
    (tmp_path / "env/pyvenv.cfg").write_text("")
    (tmp_path / "latin.py").write_bytes(b"# paydispatch \xff\n")
    assert [path for path, _ in python_files(tmp_path)] == ["shop.py", "app/orders.py"]
