"""Read a CSV file of requests: a header, and one request per row."""

from __future__ import annotations

import csv
from difflib import get_close_matches
from typing import TYPE_CHECKING

from paydispatch.cli.submission.files import check_file, raw_lines
from paydispatch.domain.errors import PaydispatchError
from paydispatch.domain.submission.columns import Columns, field_path, text_of_fields
from paydispatch.domain.submission.file_lines import FileLine, bad_row, not_utf_8

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from paydispatch.domain.submission.columns import Place
    from paydispatch.domain.submission.file_lines import Line

DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}

Row = tuple[int, list[str]]
"""The number of its first line, and its cells."""


class CsvFile:
    """A `RequestFile` of rows. Every cell is text, which Stripe's parameters are on the wire too."""

    def __init__(
        self,
        path: Path,
        columns: Sequence[Place],
        constants: Sequence[Place],
        delimiter: str | None,
    ) -> None:
        """Without `columns` each column is the field of its own name. Without `delimiter` the header shows it.

        Raises `PaydispatchError` for a header that does not fit.
        """
        check_file(path)
        self._path = path
        self.name = str(path)
        self._delimiter = delimiter or self._find_delimiter()
        self._header = self._read_header()
        self._columns = self._make_columns(columns, constants)

    def lines(self) -> Iterator[Line]:
        rows = self._rows(self._delimiter)
        next(rows)
        for number, cells in rows:
            if any(cells):
                yield self._read(number, cells)

    def _read(self, number: int, cells: list[str]) -> Line:
        try:
            "".join(cells).encode()
        except UnicodeEncodeError:
            return _find_wrong_byte(number, cells)
        if len(cells) != len(self._header):
            return bad_row(
                number, f"The row has {len(cells)} cells, and the header has {len(self._header)}."
            )
        fields = self._columns.read(dict(zip(self._header, cells, strict=True)))
        return FileLine(number, text_of_fields(fields), fields)

    def _rows(self, delimiter: str) -> Iterator[Row]:
        """Yield the rows with a cell. Raises `PaydispatchError` if the quotes leave open where a row ends."""
        reader = csv.reader(self._texts(), delimiter=delimiter, strict=True)
        begins = 1
        try:
            for cells in reader:
                if cells:
                    yield begins, cells
                begins = reader.line_num + 1
        except csv.Error as error:
            raise PaydispatchError(
                f"{self._path}, line {begins}, is not CSV: {_explain(error)}. "
                "A cell with a quote, a delimiter or a line break stands in quotes, and a quote in it is doubled."
            ) from None

    def _texts(self) -> Iterator[str]:
        """Yield the lines as text. A byte that is not UTF-8 becomes half a surrogate pair, which its row reports."""
        for number, raw in raw_lines(self._path):
            if raw is None:
                raise PaydispatchError(f"{self._path}, line {number}, is too long.")
            yield raw.decode("utf-8-sig" if number == 1 else "utf-8", "surrogateescape")

    def _find_delimiter(self) -> str:
        """Return the delimiter that gives the header the most columns."""
        counts = {delimiter: self._count_columns(delimiter) for delimiter in DELIMITERS}
        most = max(counts.values())
        found = [delimiter for delimiter, count in counts.items() if count == most]
        if most > 1 and len(found) > 1:
            names = " or ".join(DELIMITERS[delimiter] for delimiter in found)
            raise PaydispatchError(
                f"The delimiter of {self._path} may be {names}. Name it with --delimiter."
            )
        return found[0]

    def _count_columns(self, delimiter: str) -> int:
        """Return the number of columns, or 0 if a quoted name of the header is not followed by this delimiter."""
        try:
            return len(self._header_by(delimiter))
        except PaydispatchError:
            return 0

    def _header_by(self, delimiter: str) -> list[str]:
        _, cells = next(self._rows(delimiter), (1, []))
        return [cell.strip() for cell in cells]

    def _read_header(self) -> list[str]:
        header = self._header_by(self._delimiter)
        named = [name for name in header if name]
        if not named:
            raise PaydispatchError(f"{self._path} has no header with the names of its columns.")
        twice = next((name for name in named if named.count(name) > 1), None)
        if twice is not None:
            raise PaydispatchError(f"{self._path} has two columns {twice!r}.")
        return header

    def _make_columns(self, columns: Sequence[Place], constants: Sequence[Place]) -> Columns:
        mapped = columns or self._map_all()
        for _, name in mapped:
            if name not in self._header:
                raise PaydispatchError(_no_column(self._path, name, self._header))
        try:
            return Columns(mapped, constants)
        except ValueError as error:
            raise PaydispatchError(f"{self._path}: {error}.") from None

    def _map_all(self) -> list[Place]:
        """Return the field of each column by its name."""
        try:
            return [(field_path(name), name) for name in self._header if name]
        except ValueError as error:
            raise PaydispatchError(
                f"{self._path}: the column {error}. Name the fields with --map FIELD=COLUMN."
            ) from None


def _explain(error: csv.Error) -> str:
    text = str(error)
    return "a line ends with CR alone" if text.startswith("new-line character") else text


def _find_wrong_byte(number: int, cells: list[str]) -> Line:
    """Return the fault of the first cell that is not UTF-8."""
    for cell in cells:
        try:
            cell.encode("utf-8", "surrogateescape").decode()
        except UnicodeDecodeError as error:
            return not_utf_8(number, error)
    return bad_row(number, "The row holds half a surrogate pair.")


def _no_column(path: Path, name: str, header: Sequence[str]) -> str:
    near = get_close_matches(name, header, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    names = ", ".join(name for name in header if name)
    return f"{path} has no column {name!r}, only {names}.{hint}"
