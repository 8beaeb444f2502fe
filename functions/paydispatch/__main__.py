"""`python -m paydispatch` is the `paydispatch` command."""

import sys

from paydispatch.cli.main import main

sys.exit(main())
