"""Lay out one Lambda's zip: its own libraries, its handler package, its part of `paydispatch`.

    python tools/lambdas/build_function.py stripe_caller OUT

It is built for the runtime and architecture that template.yaml names, on any machine that has uv.
Standard library only: `sam build` starts it with whatever Python 3.11+ there is.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from pythons import find_python

ROOT = Path(__file__).resolve().parents[2]

# In the Lambda runtime already, or there with boto3.
IN_THE_RUNTIME = (
    "boto3",
    "botocore",
    "jmespath",
    "python-dateutil",
    "s3transfer",
    "six",
    "urllib3",
)
# Run on a developer's machine, or in tests, and never in a Lambda.
NOT_DEPLOYED = ("cli", "local", "testing", "twin")
PROGRAMS = ("api", "stripe_caller", "reconciler", "flow_runner")
# Only the runner runs the user's code.
WITH_FLOWS = ("flow_runner",)
# Read by nothing at run time. METADATA stays: Amazon Inspector finds vulnerable libraries by it.
JUNK = ("bin", "tests", "test", ".lock", "py.typed", "RECORD", "WHEEL", "INSTALLER", "REQUESTED")
JUNK_SUFFIXES = (".pyi", ".pyx", ".pxd", ".c", ".h")
# Amazon Linux 2023, below every Lambda runtime from Python 3.12 on, has glibc 2.34.
PLATFORMS = {"arm64": "aarch64-manylinux_2_34", "x86_64": "x86_64-manylinux_2_34"}


@dataclass(frozen=True, slots=True)
class Target:
    """Where the result will run."""

    pip_options: tuple[str, ...]
    """How `uv pip install` picks wheels for it."""

    interpreter: str | None
    """A Python on this machine whose bytecode it can read, if there is one."""

    seen_at: str
    """The path it will be run from, for the file names in tracebacks."""


def lambda_target(uv: str) -> Target:
    """The runtime and architecture that the template's `Globals` name."""
    version = runtime_version()
    platform = PLATFORMS[_in_template(r"Architectures: \[(\w+)\]")]
    options = ("--python-platform", platform, "--python-version", version)
    return Target(options, find_python(version, uv), "/var/task")


def runtime_version() -> str:
    """Like "3.13"."""
    return _in_template(r"Runtime: python(3\.\d+)")


def host_target(python: str, out: Path, *, bytecode: bool = True) -> Target:
    """A Python of this machine. Without bytecode one sees what it is worth."""
    return Target(("--python", python), python if bytecode else None, str(out))


def build(package: str, out: Path, target: Target, uv: str) -> None:
    """Fill `out` anew. Raises `CalledProcessError`, after uv's own words, if a wheel is missing."""
    _empty(out)
    install_libraries(package, out, target, uv)
    _remove_junk(out)
    _copy_code(package, out)
    if target.interpreter:
        _compile(out, target.interpreter, target.seen_at)
    else:
        print(f"{package}: no .pyc for want of the target's Python: cold starts take longer")


def install_libraries(package: str, out: Path, target: Target, uv: str) -> None:
    """Install the locked, hash-checked libraries of the dependency group `package` into `out`."""
    prune = [option for name in IN_THE_RUNTIME for option in ("--prune", name)]
    locked = _exported(uv, "--only-group", package, *prune)
    _pip_install(uv, target, out, "--no-deps", "--requirement", "-", given=locked)


def install_runtime(out: Path, target: Target, uv: str) -> None:
    """Install into `out` what the Lambda runtime has by itself: its client, and boto3.

    Nothing is done when it is there for this lock file and Python.
    """
    locked = _exported(uv, "--all-groups", "--no-hashes", "--no-emit-project")
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


def _exported(uv: str, *which: str) -> str:
    """The lock file's requirements."""
    command = [uv, "export", "--frozen", "--quiet", *which]
    return subprocess.run(command, cwd=ROOT, check=True, text=True, stdout=subprocess.PIPE).stdout


def _pip_install(uv: str, target: Target, out: Path, *what: str, given: str = "") -> None:
    options = ["--quiet", "--only-binary", ":all:", *target.pip_options, "--target", str(out)]
    command = [uv, "pip", "install", *options, *what]
    subprocess.run(command, cwd=ROOT, check=True, text=True, input=given)


def _copy_code(package: str, out: Path) -> None:
    functions = ROOT / "functions"
    _copy(functions / package, out / package)
    _copy(functions / "paydispatch", out / "paydispatch", *NOT_DEPLOYED)
    _drop_other_programs(package, out / "paydispatch")
    if package in WITH_FLOWS:
        _copy(ROOT / "flows", out / "flows")


def _drop_other_programs(package: str, library: Path) -> None:
    """Leave a Lambda its own handler and composition root only."""
    for folder in ("compose", "handlers"):
        for program in PROGRAMS:
            if program != package:
                _remove(library / folder / program)
                _remove(library / folder / f"{program}.py")


def _copy(source: Path, to: Path, *leave_out: str) -> None:
    """Copy a package without bytecode and without the named entries of its top directory."""

    def ignored(directory: str, names: list[str]) -> set[str]:
        top = set(leave_out) if Path(directory) == source else set()
        return {name for name in names if name in top or name in {"__pycache__", "py.typed"}}

    shutil.copytree(source, to, ignore=ignored)


def _remove_junk(out: Path) -> None:
    for path in list(out.rglob("*")):
        if path.name in JUNK or path.suffix in JUNK_SUFFIXES:
            _remove(path)


def _compile(out: Path, interpreter: str, seen_at: str) -> None:
    """Write `.pyc` that are never checked against their source.

    A zip keeps no exact file times: bytecode checked by time would be thrown away at every start.
    """
    subprocess.run(
        [interpreter, "-m", "compileall", "-qq", "--invalidation-mode", "unchecked-hash",
         "-s", str(out), "-p", seen_at, str(out)],
        check=True,
    )  # fmt: skip


def _empty(out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    for path in out.iterdir():
        _remove(path)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _in_template(pattern: str) -> str:
    found = re.search(pattern, (ROOT / "template.yaml").read_text())
    if found is None:
        raise SystemExit(f"template.yaml has no line like {pattern!r}")
    return found[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("package", choices=PROGRAMS)
    parser.add_argument("out", type=Path)
    parser.add_argument("--uv", default="uv")
    chosen = parser.parse_args()
    build(chosen.package, chosen.out.resolve(), lambda_target(chosen.uv), chosen.uv)


if __name__ == "__main__":
    main()
