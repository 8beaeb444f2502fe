"""Install the needs of the console's tests: Chromium, and the dependency group `console`.

python tools/console_browser.py --uv PATH --target FOLDER

Chromium comes from Debian, if it is not here and this program may install it. The libraries come from PyPI, into a
folder of their own. It names a part that cannot be had, and ends with 0, because the tests are skipped then.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
"""The names that distributions give it."""

APT = ["apt-get", "-q", "-y", "--no-install-recommends"]
LONGEST_S = 600.0


def find_chromium() -> str | None:
    """Return the path of the browser. None: it is not installed."""
    return next(filter(None, map(shutil.which, CHROMIUM)), None)


def install_chromium() -> str | None:
    """Install Debian's package. Return the reason if it cannot be had."""
    if find_chromium():
        return None
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return "Install chromium (on Debian: apt-get install chromium)"
    # A list of packages that is there already may do, so a failed update is no reason to stop.
    _succeeds([*APT, "update"])
    installed = _succeeds([*APT, "install", "chromium"])
    return None if installed and find_chromium() else "apt-get cannot install chromium"


def install_libraries(uv: str, target: Path) -> str | None:
    """Install the locked libraries into `target`, once for each lock. Return the reason if they cannot be had."""
    export = [uv, "export", "--quiet", "--frozen", "--only-group", "console"]
    wanted = subprocess.run(export, cwd=ROOT, check=True, text=True, capture_output=True).stdout
    installed = target / "requirements.txt"
    if installed.exists() and installed.read_text() == wanted:
        return None
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    listed = target.with_suffix(".txt")
    listed.write_text(wanted)
    own = ["--no-deps", "--require-hashes", "--target", str(target), "-r", str(listed)]
    if not _succeeds([uv, "pip", "install", "--quiet", *own]):
        return "PyPI has no playwright for this machine, or cannot be reached"
    listed.rename(installed)
    return None


def _succeeds(command: list[str]) -> bool:
    """Run a command, and print its output if it fails."""
    try:
        ran = subprocess.run(
            command, cwd=ROOT, check=False, text=True, capture_output=True, timeout=LONGEST_S
        )
    except subprocess.TimeoutExpired:
        print(f"{command[0]} took longer than {LONGEST_S:.0f} s.")
        return False
    if ran.returncode:
        print((ran.stdout + ran.stderr)[-2_000:])
    return ran.returncode == 0


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--uv", default="uv", help="the uv command (default: uv)")
    parser.add_argument("--target", type=Path, required=True, help="the folder for the libraries")
    options = parser.parse_args()
    for reason in filter(
        None, (install_chromium(), install_libraries(options.uv, options.target.resolve()))
    ):
        print(f"console: {reason}. The tests in the browser are skipped.")


if __name__ == "__main__":
    main()
