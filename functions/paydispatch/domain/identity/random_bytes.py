"""Random bytes of the operating system, for ids and nonces.

Each is read anew. A pool would be the same in a forked process and in a restored snapshot, and one nonce under one key
twice would break the seal.
"""

import os
from collections.abc import Callable

random_bytes: Callable[[int], bytes] = getattr(os, "getrandom", os.urandom)
"""`getrandom` of Linux keeps the interpreter. `os.urandom` reads the same source, but lets another thread run first, so
that the caller of `create_async` would wait for milliseconds."""
