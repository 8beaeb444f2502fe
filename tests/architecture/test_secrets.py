"""No file of the repository contains a live Stripe key, a webhook secret, an AWS key or a private key."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

REAL_KEYS = re.compile(
    rb"\b(?:sk|rk)_live_[A-Za-z0-9]{10,}|\bwhsec_[A-Za-z0-9]{16,}|\bA(?:KIA|SIA)[A-Z0-9]{16}\b"
    rb"|-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----"
)


def list_committed_files() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    return [ROOT / name.decode() for name in listed.stdout.split(b"\0") if name]


def test_no_file_contains_a_real_key() -> None:
    files = [path for path in list_committed_files() if path.is_file()]
    assert len(files) > 100
    assert [str(path) for path in files if REAL_KEYS.search(path.read_bytes())] == []


@pytest.mark.parametrize(
    "key", [b"sk_live_" + b"4eC39HqLyjWD", b"rk_live_" + b"a" * 24, b"AKIA" + b"Z" * 16]
)
def test_the_scan_finds_a_real_key(key: bytes) -> None:
    assert REAL_KEYS.search(b"key = " + key)
