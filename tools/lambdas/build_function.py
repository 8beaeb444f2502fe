"""Builds the content of one Lambda's zip: its libraries, its handler package, and its part of `paydispatch`.

    python tools/lambdas/build_function.py stripe_caller OUT

It builds for the runtime and architecture in template.yaml, on any machine with uv. It uses only the standard library,
because `sam build` runs it with any Python from 3.11 on.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from pythons import find_python
from slim import remove, slim

ROOT = Path(__file__).resolve().parents[2]

# Left out of a zip with flows, because the Lambda runtime has them: boto3 and its dependencies, for any service.
IN_THE_RUNTIME = (
    "boto3",
    "botocore",
    "jmespath",
    "python-dateutil",
    "s3transfer",
    "six",
    "urllib3",
)
# Left out of the others, because our programs never load it: cffi's parser is for compilers.
NOT_LOADED = ("pycparser",)
# These run only on a developer's machine or in tests.
NOT_DEPLOYED = ("__main__.py", "cli", "console", "local", "pytest_plugin", "testing", "twin")
PROGRAMS = ("api", "stripe_caller", "reconciler", "flow_runner", "operators")
# Only the flow runner executes the user's flow scripts.
WITH_FLOWS = ("flow_runner",)
# Every Lambda runtime from Python 3.12 on runs on Amazon Linux 2023, which has glibc 2.34.
PLATFORMS = {"arm64": "aarch64-manylinux_2_34", "x86_64": "x86_64-manylinux_2_34"}


_TIME_S = 315_532_800 + 366 * 86_400
"""In 1981. A zip cannot hold a time before 1980, wherever the machine is."""


@dataclass(frozen=True, slots=True)
class Target:
    """The platform on which the result will run."""

    pip_options: tuple[str, ...]
    """The options with which `uv pip install` selects wheels for it."""

    interpreter: str | None
    """A Python on this machine that writes bytecode for it, if there is one."""

    seen_at: str
    """The path from which it will run, for the file names in tracebacks."""


def lambda_target(uv: str) -> Target:
    """Return the target with the runtime and architecture in the `Globals` of the template."""
    version = runtime_version()
    platform = PLATFORMS[_in_template(r"Architectures: \[(\w+)\]")]
    options = ("--python-platform", platform, "--python-version", version)
    return Target(options, find_python(version, uv), "/var/task")


def runtime_version() -> str:
    """Return the Python version of the Lambda runtime, such as "3.13"."""
    return _in_template(r"Runtime: python(3\.\d+)")


def host_target(python: str, out: Path, *, bytecode: bool = True) -> Target:
    """Return a target for a Python of this machine. `bytecode=False` measures the start without bytecode."""
    return Target(("--python", python), python if bytecode else None, str(out))


def build(package: str, out: Path, target: Target, uv: str) -> None:
    """Build `package` into an empty `out`. Raises `CalledProcessError` if uv finds no wheel. uv prints the reason."""
    _empty(out)
    install_libraries(package, out, target, uv)
    slim(out, whole=package in WITH_FLOWS)
    _copy_code(package, out)
    if target.interpreter:
        _compile(out, target.interpreter, target.seen_at)
    else:
        print(
            f"{package}: built without .pyc, because the target's Python is not installed. Cold starts take longer."
        )
    _set_times(out)


def install_libraries(package: str, out: Path, target: Target, uv: str) -> None:
    """Install the locked, hash-checked libraries of the dependency group `package` into `out`."""
    left_out = IN_THE_RUNTIME if package in WITH_FLOWS else NOT_LOADED
    prune = [option for name in left_out for option in ("--prune", name)]
    locked = _export(uv, "--only-group", package, *prune)
    _pip_install(uv, target, out, "--no-deps", "--requirement", "-", given=locked)


def install_runtime(out: Path, target: Target, uv: str) -> None:
    """Install the libraries of the Lambda runtime into `out`: its client and boto3.

    Does nothing if `out` has them already for this lock file and Python.
    """
    locked = _export(uv, "--all-groups", "--no-group", "bench", "--no-hashes", "--no-emit-project")
    constraints = out.with_suffix(".txt")
    wanted = f"# for {target.interpreter}\n{locked}"
    if constraints.exists() and constraints.read_text() == wanted:
        return
    _empty(out)
    constraints.unlink(missing_ok=True)
    _pip_install(uv, target, out, "--constraint", "-", "awslambdaric", "boto3", given=locked)
    if target.interpreter:
        _compile(out, target.interpreter, target.seen_at)
    constraints.write_text(wanted)


def _export(uv: str, *which: str) -> str:
    """Return the requirements in the lock file."""
    command = [uv, "export", "--frozen", "--quiet", *which]
    return subprocess.run(command, cwd=ROOT, check=True, text=True, stdout=subprocess.PIPE).stdout


def _pip_install(uv: str, target: Target, out: Path, *arguments: str, given: str = "") -> None:
    options = ["--quiet", "--only-binary", ":all:", *target.pip_options, "--target", str(out)]
    command = [uv, "pip", "install", *options, *arguments]
    subprocess.run(command, cwd=ROOT, check=True, text=True, input=given)


def _copy_code(package: str, out: Path) -> None:
    functions = ROOT / "functions"
    _copy(functions / package, out / package)
    _copy(functions / "paydispatch", out / "paydispatch", *NOT_DEPLOYED)
    _drop_other_programs(package, out / "paydispatch")
    if package in WITH_FLOWS:
        _copy(ROOT / "flows", out / "flows")


def _drop_other_programs(package: str, library: Path) -> None:
    """Delete the handlers and composition roots of the other Lambdas."""
    remove(library / "compose" / "console")
    for folder in ("compose", "handlers"):
        for program in PROGRAMS:
            if program != package:
                remove(library / folder / program)
                remove(library / folder / f"{program}.py")


def _copy(source: Path, to: Path, *leave_out: str) -> None:
    """Copy a package without bytecode and without the named entries of its top directory."""

    def ignore(directory: str, names: list[str]) -> set[str]:
        top = set(leave_out) if Path(directory) == source else set()
        types = {name for name in names if name.endswith((".pyi", "py.typed"))}
        return {name for name in names if name in top} | types | {"__pycache__"}

    shutil.copytree(source, to, ignore=ignore)


def _compile(out: Path, interpreter: str, seen_at: str) -> None:
    """Write `.pyc` files that Python does not check against their source.

    A zip does not keep exact file times, so that Python would discard bytecode with times at every start.
    """
    subprocess.run(
        [interpreter, "-m", "compileall", "-qq", "--invalidation-mode", "unchecked-hash",
         "-s", str(out), "-p", seen_at, str(out)],
        check=True,
    )  # fmt: skip


def _set_times(out: Path) -> None:
    """Give all files the same time, so that the same input makes the same zip and `sam deploy` uploads it once."""
    for path in out.rglob("*"):
        os.utime(path, (_TIME_S, _TIME_S))


def _empty(out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    for path in out.iterdir():
        remove(path)


def _in_template(pattern: str) -> str:
    found = re.search(pattern, (ROOT / "template.yaml").read_text())
    if found is None:
        raise SystemExit(f"template.yaml must have a line that matches {pattern!r}")
    return found[1]


def target_for(uv: str, out: Path, *, host: bool) -> Target:
    """Return the target of Lambda, or with `host` that of this machine, with Lambda's Python if it is here."""
    if not host:
        return lambda_target(uv)
    return host_target(find_python(runtime_version(), uv) or sys.executable, out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("package", choices=PROGRAMS, help="the Lambda to build")
    parser.add_argument(
        "out", type=Path, help="folder for the content of the zip; it is emptied first"
    )
    parser.add_argument("--uv", default="uv", help="the uv command (default: uv)")
    parser.add_argument("--host", action="store_true", help="build for this machine")
    chosen = parser.parse_args()
    out = chosen.out.resolve()
    build(chosen.package, out, target_for(chosen.uv, out, host=chosen.host), chosen.uv)


if __name__ == "__main__":
    main()
