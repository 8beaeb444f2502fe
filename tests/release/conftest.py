"""Empty environments with the built wheel, one for each supported Python and each extra."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from every_python import VERSIONS
from pythons import find_python

ROOT = Path(__file__).parents[2]
OWN = f"{sys.version_info.major}.{sys.version_info.minor}"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--uv", default=str(ROOT / ".tools/bin/uv"), help="the uv command")
    parser.addoption(
        "--every-python", action="store_true", help="every supported Python (default: this one)"
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "python" in metafunc.fixturenames:
        uv = metafunc.config.getoption("uv")
        versions = VERSIONS if metafunc.config.getoption("every_python") else (OWN,)
        found = {version: find_python(version, uv) for version in versions}
        pythons = {version: path for version, path in found.items() if path}
        metafunc.parametrize("python", pythons.values(), ids=pythons, scope="session")


@dataclass(frozen=True)
class Environment:
    """An environment that has the wheel, with one extra or with none."""

    folder: Path

    @property
    def python(self) -> str:
        return str(self.folder / "bin/python")

    @property
    def command(self) -> str:
        return str(self.folder / "bin/paydispatch")

    def run(
        self, *command: str, cwd: Path, timeout_s: float = 120.0, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in a folder outside the repository, without the variables of this process."""
        own = {"PATH": f"{self.folder / 'bin'}:/usr/bin:/bin", "HOME": str(cwd), **variables}
        return subprocess.run(
            command,
            check=False,
            cwd=cwd,
            env=own,
            text=True,
            capture_output=True,
            timeout=timeout_s,
        )


class Environments:
    """Makes each environment when a test first asks for it."""

    def __init__(self, uv: str, python: str, wheel: Path, folder: Path) -> None:
        self._uv, self._python, self._wheel, self._folder = uv, python, wheel, folder
        self._made: dict[str, Environment] = {}

    def get(self, extra: str = "") -> Environment:
        """Return the environment with an extra, such as `worker`."""
        if extra not in self._made:
            self._made[extra] = self._make(extra)
        return self._made[extra]

    def _make(self, extra: str) -> Environment:
        made = Environment(self._folder / (extra or "sdk"))
        self._uv_run("venv", "--clear", "--python", self._python, str(made.folder))
        bracketed = f"[{extra}]" if extra else ""
        wanted = f"paydispatch{bracketed} @ {self._wheel.as_uri()}"
        self._uv_run("pip", "install", "--python", made.python, wanted)
        return made

    def _uv_run(self, *command: str) -> None:
        subprocess.run([self._uv, *command], check=True, capture_output=True, env=os.environ)


@pytest.fixture(scope="session")
def wheel() -> Path:
    """The wheel that `make dist` has built last."""
    found = max((ROOT / "dist").glob("*.whl"), key=lambda path: path.stat().st_mtime, default=None)
    assert found, "Run `make release`, which builds the wheel first."
    return found


@pytest.fixture(scope="session")
def environments(
    python: str,
    wheel: Path,
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> Environments:
    folder = tmp_path_factory.mktemp("environments")
    return Environments(request.config.getoption("uv"), python, wheel, folder)
