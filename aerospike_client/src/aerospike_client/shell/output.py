"""What the shell prints: tables for people, JSON a line for scripts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, Final

from aerospike_client.record import Record
from aerospike_client.shell.values import as_json, as_text

WIDTH_MAX: Final = 60
"""Characters of a table's column; more is cut."""

ROWS_MAX: Final = 50
"""Rows of a table of records, unless a limit is given."""

Row = Mapping[str, Any]


class Output:
    """Prints through `write`, which takes text without the end of its line."""

    def __init__(self, write: Callable[[str], None], *, as_json: bool = False) -> None:
        self.write = write
        self.as_json = as_json

    def rows(self, rows: Iterable[Row], nothing: str) -> None:
        """Rows of named values; `nothing` is for people, when there are none."""
        if self.as_json:
            for row in rows:
                self.write(as_json(row))
            return
        found = list(rows)
        for line in table(found) or [nothing]:
            self.write(line)

    def record(self, record: Record) -> None:
        """One record: its bins one below the other."""
        if self.as_json:
            self.write(as_json(_whole(record)))
            return
        width = max(map(len, record.bins), default=0)
        for name, value in record.bins.items():
            self.write(f"{name:<{width}}  {as_text(value)}")
        self.write(f"({_metadata(record)})")

    def records(self, records: Iterable[Record], limit: int | None) -> None:
        """Many records; None is the limit that suits: all for scripts."""
        if self.as_json:
            for record in islice(records, limit):
                self.write(as_json(_whole(record)))
            return
        most = ROWS_MAX if limit is None else limit
        found = list(islice(records, most + 1))
        rows = [{"key": _key(record), **record.bins} for record in found[:most]]
        for line in table(rows):
            self.write(line)
        more = len(found) > most
        count = f"{len(rows)} record{'' if len(rows) == 1 else 's'}"
        self.write(f"({count}{f', and more: --limit {10 * most}' if more else ''})")

    def message(self, text: str, **values: Any) -> None:
        """What was done; `values` are what scripts get."""
        self.write(as_json(values) if self.as_json else text)


def table(rows: Sequence[Row]) -> list[str]:
    """The lines of a table: a head, a rule, the rows. Columns in the order they are met.

    >>> table([{"a": 1, "b": "x"}, {"a": 22}])
    ['a   b', '--  -', '1   x', '22']
    """
    columns = list(dict.fromkeys(name for row in rows for name in row))
    if not columns:
        return []
    cells = [[_cut(as_text(row[name])) if name in row else "" for name in columns] for row in rows]
    widths = [
        max(len(name), *(len(line[place]) for line in cells)) for place, name in enumerate(columns)
    ]
    lines = [columns, ["-" * width for width in widths], *cells]
    return [
        "  ".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]


def _cut(text: str) -> str:
    return text if len(text) <= WIDTH_MAX else text[: WIDTH_MAX - 1] + "…"


def _key(record: Record) -> Any:
    key = record.key
    return key.digest.hex() if key.user_key is None else key.user_key


def _metadata(record: Record) -> str:
    ttl = record.ttl()
    life = "never expires" if ttl is None else f"expires in {ttl} s"
    return f"generation {record.generation}, {life}"


def _whole(record: Record) -> dict[str, Any]:
    key = record.key
    return {
        "namespace": key.namespace,
        "set": key.set_name,
        "key": key.user_key,
        "digest": key.digest.hex(),
        "generation": record.generation,
        "ttl": record.ttl(),
        "bins": record.bins,
    }
