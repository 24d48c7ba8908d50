"""`AsModule`: a language that users' functions are written in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import attrs

from aerospike_common.as_aerospike import AsAerospike
from aerospike_common.as_list import AsList
from aerospike_common.as_memtracker import AsMemtracker
from aerospike_common.as_rec import AsRec
from aerospike_common.as_result import AsResult
from aerospike_common.as_stream import AsReadable, AsWritable
from aerospike_common.as_timer import AsTimer


class AsModuleError(Exception):
    """A source file that the language does not accept."""

    def __init__(self, file_name: str, line: int, message: str) -> None:
        super().__init__(f"{file_name}:{line}: {message}")
        self.file_name = file_name
        self.line = line
        self.message = message


@attrs.frozen
class AsUdfContext:
    """What surrounds one call: the database, and the bounds of its time and memory."""

    aerospike: AsAerospike
    timer: AsTimer
    memtracker: AsMemtracker


class AsModule(Protocol):
    """Compiles and runs functions. A function is named by its file, without extension, and itself.

    Applying never raises for what the function does: its errors, its time running out, a missing
    file or function are failures, with the text for the caller.
    """

    def configure(self, settings: Mapping[str, str]) -> None:
        """Take settings, before anything else and again when they change. Raises ValueError."""

    def validate(self, file_name: str, source: bytes) -> None:
        """Compile `source` without keeping it. Raises AsModuleError."""

    def update(self, file_name: str, source: bytes | None) -> None:
        """From now on use this source for the file, or none: it was removed.

        Raises AsModuleError, and goes on with what it had.
        """

    def apply_record(
        self, context: AsUdfContext, module: str, function: str, record: AsRec, arguments: AsList
    ) -> AsResult:
        """Call `function(record, *arguments)`; its value or its failure."""

    def apply_stream(
        self,
        context: AsUdfContext,
        module: str,
        function: str,
        source: AsReadable,
        arguments: AsList,
        sink: AsWritable,
    ) -> AsResult:
        """Let `function` build its chain of operators and pass `source` through it into `sink`."""
