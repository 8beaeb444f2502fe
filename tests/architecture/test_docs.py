"""The documents match the code: links have targets, and every setting, log line, metric and Redis key is documented."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from paydispatch import settings as settings_module

ROOT = Path(__file__).parents[2]
CODE = ROOT / "functions"
SERVICES = sorted(CODE.glob("paydispatch/services/**/*.py"))
OPERATIONS = "\n".join(
    (ROOT / "docs" / page).read_text("utf-8") for page in ("operations.md", "reconcile.md")
)
DECISIONS = sorted((ROOT / "docs/adr").glob("[0-9]*.md"))
DECISION = ["Context", "Decision", "Measured", "Consequences", "To undo"]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("infra/*.md")])

_FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\((?!https?:)([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_QUOTED_FILE = re.compile(r"^```\w+ (\S+/\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_PATH_IN_CODE = re.compile(r"`((?:[\w.-]+/)+[\w.-]+\.(?:py|lua|json|yaml|md|pyi|toml))`")
_VARIABLE = re.compile(r"[A-Z][A-Z0-9]*_[A-Z0-9_]+")
_MAKE = re.compile(r"\bmake ([a-z][a-z-]*)\b")
_TARGET = re.compile(r"^([a-z][\w-]*):", re.MULTILINE)
_DESCRIBED_TARGET = re.compile(r"^(\S+):.* ## ", re.MULTILINE)
_EVENT = re.compile(r"(?:request|message|status|flow|entry|stream)\.[a-z_]+")
_METRIC = re.compile(r"(?:[A-Z][a-z]+){2,}")
_LOG_CALLS = {"info", "warning", "_line"}

# The folders from which a path in a document may start.
_STARTS = (ROOT, CODE, CODE / "paydispatch", ROOT / "docs")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_has_a_target(page: Path) -> None:
    assert [link for link in _links(page) if not _has_target(page, link)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_file_named_in_a_document_exists(page: Path) -> None:
    named = _PATH_IN_CODE.findall(_FENCED.sub("", page.read_text("utf-8")))
    assert [path for path in named if not any((start / path).exists() for start in _STARTS)] == []


def test_a_quoted_file_equals_the_file() -> None:
    quoted = [match for page in PAGES for match in _QUOTED_FILE.findall(page.read_text("utf-8"))]
    assert quoted
    assert [path for path, text in quoted if (ROOT / path).read_text("utf-8") != text] == []


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_every_named_make_target_exists(name: str) -> None:
    code = "\n".join(
        re.findall(r"`[^`\n]+`|^ {4}.*$", (ROOT / name).read_text("utf-8"), re.MULTILINE)
    )
    named = set(_MAKE.findall(code))
    assert named
    assert named <= set(_TARGET.findall(_makefiles()))


def test_make_help_lists_every_described_target() -> None:
    command = ("make", "--no-print-directory", "help")
    run = subprocess.run(command, check=True, cwd=ROOT, capture_output=True, text=True, timeout=30)
    described = set(_DESCRIBED_TARGET.findall(_makefiles()))
    assert {"e2e", "mutants", "deploy"} <= described
    assert {line.split()[1] for line in run.stdout.splitlines()} == described


def test_every_environment_variable_is_in_operations() -> None:
    settings = {
        text for text in _texts(CODE / "paydispatch/settings.py") if _VARIABLE.fullmatch(text)
    } - vars(settings_module).keys()
    read = settings.union(*(_variables(path) for path in CODE.glob("paydispatch/cli/**/*.py")))
    assert "REQUEST_QUEUE_URL" in read
    assert _find_undocumented(read) == []


def test_every_line_of_the_event_log_is_in_operations() -> None:
    called = {event for path in _program_files() for event in _events(path, _LOG_CALLS)}
    events = called | {text for path in SERVICES for text in _texts(path) if _EVENT.fullmatch(text)}
    assert {"request.settled", "request.settled_before", "flow.finished", "api.fault"} <= events
    assert _find_undocumented(events) == []


def test_every_metric_is_in_operations() -> None:
    called = {name for path in _program_files() for name in _events(path, {"count"})}
    metrics = called | {
        text for path in SERVICES for text in _texts(path) if _METRIC.fullmatch(text)
    }
    assert "RequestParked" in metrics
    assert _find_undocumented(metrics) == []


def test_every_redis_key_is_in_operations() -> None:
    keys = set(_templates(CODE / "paydispatch/adapters/redis/keys.py"))
    assert "pd:{<worker>}:outcomes" in keys
    assert _find_undocumented(keys) == []


@pytest.mark.parametrize("decision", DECISIONS, ids=lambda path: path.stem)
def test_a_decision_has_its_number_and_its_sections(decision: Path) -> None:
    text = decision.read_text("utf-8")
    assert text.startswith(f"# {int(decision.name[:4])}. ")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == DECISION


def test_decisions_are_numbered_without_gaps() -> None:
    assert [int(path.name[:4]) for path in DECISIONS] == list(range(1, len(DECISIONS) + 1))


def test_every_decision_is_in_the_index() -> None:
    index = ROOT / "docs/adr/README.md"
    written = {path.name for path in index.parent.glob("[0-9]*.md")}
    assert written == set(_links(index))


def _links(page: Path) -> list[str]:
    return _LINK.findall(_FENCED.sub("", page.read_text("utf-8")))


def _has_target(page: Path, link: str) -> bool:
    path, _, anchor = link.partition("#")
    target = page.parent / path if path else page
    return target.exists() and (not anchor or anchor in _anchors(target))


def _anchors(page: Path) -> set[str]:
    headings = _HEADING.findall(page.read_text("utf-8"))
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def _makefiles() -> str:
    return "\n".join(
        path.read_text("utf-8") for path in [ROOT / "Makefile", *ROOT.glob("infra/*.mk")]
    )


def _find_undocumented(names: set[str]) -> list[str]:
    return sorted(name for name in names if f"`{name}`" not in OPERATIONS)


def _program_files() -> Iterator[Path]:
    """Yield the files of the deployed code, without the local stack, which has no log."""
    return (path for path in CODE.rglob("*.py") if "local" not in path.relative_to(CODE).parts)


def _texts(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def _variables(path: Path) -> set[str]:
    """Return the variables that a file reads from `os.environ`."""
    calls = (
        node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Call)
    )
    asked = (call for call in calls if ast.unparse(call.func) == "os.environ.get")
    return {literal for call in asked for literal in _literals(call.args[0])}


def _templates(path: Path) -> Iterator[str]:
    """Yield the f-strings of a file, with each value as `<its name>`."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.JoinedStr):
            yield "".join(_part(part) for part in node.values)


def _part(part: ast.expr) -> str:
    if isinstance(part, ast.FormattedValue):
        return f"<{ast.unparse(part.value)}>"
    return str(ast.literal_eval(part))


def _events(path: Path, methods: set[str]) -> Iterator[str]:
    """Yield the literal names that a file passes to these methods of an event log, from both arms of a conditional."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args):
            continue
        if node.func.attr in methods and _is_event_log(node.func):
            yield from _literals(node.args[0])


def _is_event_log(method: ast.Attribute) -> bool:
    owner = ast.unparse(method.value)
    logs_of_others = {
        "_log",
        "self.log",
        "flow.log",
        "self._flow.log",
    }  # the standard library's and a flow's
    return method.attr == "_line" or (owner.endswith("log") and owner not in logs_of_others)


def _literals(argument: ast.expr) -> list[str]:
    arms = [argument.body, argument.orelse] if isinstance(argument, ast.IfExp) else [argument]
    return [
        arm.value for arm in arms if isinstance(arm, ast.Constant) and isinstance(arm.value, str)
    ]
