"""Write the file of a month's renewals: `python -m shop.renewals 2027-01 500 > renewals.csv`.

A real shop reads its contracts from its database. The key of a renewal names contract and month, so that the same month
is never paid twice, whatever becomes of the file and its ledger.
"""

from __future__ import annotations

import csv
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import TextIO

HEADER = ("Contract", "Amount", "Card", "Key")


def write_renewals(out: TextIO, month: str, contracts: int) -> None:
    rows = csv.writer(out, delimiter=";")
    rows.writerow(HEADER)
    for number in range(contracts):
        contract = f"C-{number:04}"
        rows.writerow((contract, 1000 + number, "pm_card_visa", f"renewal-{month}-{contract}"))


if __name__ == "__main__":
    write_renewals(sys.stdout, sys.argv[1], int(sys.argv[2]))
