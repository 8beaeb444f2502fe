"""Record what a release leaves on its queues and in its Redis, for the tests of an upgrade.

    make record-upgrade COMMIT=a7f68ee

It checks the commit out below build/, installs its libraries, runs `record.py` with them, and writes
`tests/data/upgrade/<commit>.json`. Keep one recording for each release from which people upgrade.
"""

from __future__ import annotations

import argparse
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RECORD = Path(__file__).with_name("record.py")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("commit", help="the commit of the release, as a short hash or a tag")
    commit = parser.parse_args().commit
    release = ROOT / "build" / "upgrade" / commit
    if not release.exists():
        run("git", "worktree", "add", "--detach", str(release), commit, cwd=ROOT)
    run("make", "install", cwd=release)
    out = ROOT / "tests" / "data" / "upgrade" / f"{commit}.json"
    out.parent.mkdir(exist_ok=True)
    run(str(release / ".venv" / "bin" / "python"), str(RECORD), str(out), cwd=release)
    print(out)


def run(*command: str, cwd: Path) -> None:
    subprocess.run(command, cwd=cwd, check=True)


if __name__ == "__main__":
    main()
