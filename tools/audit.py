"""Look up the locked dependencies in OSV's list of known vulnerabilities.

python tools/audit.py --uv PATH [--required]

Ends with 1 if a dependency has a known vulnerability. Where the list cannot be reached, it says so and ends with 0, or
with 1 if `--required` is given.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

UNREACHABLE = "error sending request"
"""A part of uv's message when it has no connection to the service."""


def main() -> int:
    options = _options()
    command = [options.uv, "audit", "--frozen", "--preview-features", "audit-command"]
    ran = subprocess.run(  # noqa: S603  (uv with words of our own)
        command, check=False, cwd=ROOT, capture_output=True, text=True
    )
    if ran.returncode and UNREACHABLE in ran.stderr:
        print("audit: api.osv.dev cannot be reached from here, so no dependency was audited.")
        return 1 if options.required else 0
    print(ran.stdout + ran.stderr, end="")
    return ran.returncode


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--uv", default="uv", help="the uv command (default: uv)")
    parser.add_argument(
        "--required", action="store_true", help="end with 1 where the list cannot be reached"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
