"""Puts a project's flows, the modules that they import and their libraries into the built flow runner.

They take the place of the flows of this repository.

    python tools/lambdas/add_flows.py OUT --flows ../shop/flows --requirements ../shop/requirements.txt

The libraries must agree with the locked libraries of the flow runner. Otherwise uv names them, and the build fails.
It uses only the standard library, for the reason of `build_function.py`.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
from pathlib import Path

from build_function import ROOT, Target, target_for
from project_modules import imported_names, modules_beside

RUNNER = "flow_runner"
RUNNER_FOLDER = "flows"
"""The folder of the flows in the function, which is also the name of their package."""


def add_flows(out: Path, flows: Path, requirements: Path | None, target: Target, uv: str) -> None:
    """Replace `out/flows`, and install `requirements`. Raises `SystemExit` if a file is missing."""
    _check(flows, requirements)
    beside = modules_beside(flows)
    _check_names(out, flows, beside)
    if requirements is not None:
        _install(out, requirements, target, uv)
    shutil.rmtree(out / "flows", ignore_errors=True)
    for source, name in ((flows, RUNNER_FOLDER), *((each, each.name) for each in beside)):
        _copy(source, out / name)
    if target.interpreter:
        _compile(out, target.interpreter, target.seen_at)


def _check(flows: Path, requirements: Path | None) -> None:
    if not flows.is_dir():
        raise SystemExit(f"FLOWS must be a folder of flow scripts, but {flows} is none")
    if not any(flows.glob("*.py")):
        raise SystemExit(f"FLOWS must be a folder of flow scripts, but {flows} has no .py file")
    if requirements is not None and not requirements.is_file():
        raise SystemExit(f"REQUIREMENTS must be a requirements file, but {requirements} is none")


def _check_names(out: Path, flows: Path, beside: list[Path]) -> None:
    """Raise `SystemExit` if a module would not be found under its name in the function."""
    for module in beside:
        if (out / module.name).exists():
            raise SystemExit(f"{module} has the name of a module of the flow runner. Rename it")
    if flows.name != RUNNER_FOLDER and any(
        flows.name in imported_names(file) for file in flows.rglob("*.py")
    ):
        raise SystemExit(
            f"The flows import from {flows.name}, but in the function their folder is {RUNNER_FOLDER}. "
            f"Name the folder {RUNNER_FOLDER}"
        )


def _copy(source: Path, to: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, to, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy(source, to)


def _install(out: Path, requirements: Path, target: Target, uv: str) -> None:
    """Install what the flows need beside the runner's own libraries, which keep their locked versions."""
    export = [uv, "export", "--frozen", "--quiet", "--no-hashes", "--only-group", RUNNER]
    locked = subprocess.run(export, cwd=ROOT, check=True, text=True, stdout=subprocess.PIPE).stdout
    platform = ["--quiet", "--only-binary", ":all:", *target.pip_options, "--target", str(out)]
    command = [uv, "pip", "install", *platform, "--constraint", "-"]
    named = ["--requirement", str(requirements)]
    if subprocess.run([*command, *named], check=False, text=True, input=locked).returncode:
        raise SystemExit(f"{requirements} does not agree with the libraries of the flow runner")


def _compile(out: Path, interpreter: str, seen_at: str) -> None:
    """Write the bytecode that is missing, as `build_function.py` writes it."""
    subprocess.run(
        [interpreter, "-m", "compileall", "-qq", "--invalidation-mode", "unchecked-hash",
         "-s", str(out), "-p", seen_at, str(out)],
        check=True,
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("out", type=Path, help="folder with the built flow runner")
    parser.add_argument("--flows", type=Path, required=True, help="folder of the flow scripts")
    parser.add_argument("--requirements", type=Path, help="the libraries of the flows")
    parser.add_argument("--uv", default="uv", help="the uv command (default: uv)")
    parser.add_argument("--host", action="store_true", help="build for this machine")
    chosen = parser.parse_args()
    out = chosen.out.resolve()
    requirements = chosen.requirements.resolve() if chosen.requirements else None
    target = target_for(chosen.uv, out, host=chosen.host)
    add_flows(out, chosen.flows.resolve(), requirements, target, chosen.uv)


if __name__ == "__main__":
    main()
