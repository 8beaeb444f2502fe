"""The folder of the flows, alike for every command that runs them."""

from __future__ import annotations

import os
from pathlib import Path

from paydispatch.domain.errors import PaydispatchError


def flows_folder(named: Path | None) -> Path:
    """The one that `--flows` named, or `FLOWS_DIR`, or `./flows`. Raises `PaydispatchError` if there is none."""
    folder = (named or Path(os.environ.get("FLOWS_DIR") or "flows")).resolve()
    if not folder.is_dir():
        raise PaydispatchError(f"There is no flows folder {folder}.")
    return folder
