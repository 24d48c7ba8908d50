"""Adapter: system metadata in files, one `<module>.smd` of JSON in a directory."""

from __future__ import annotations

import os
from pathlib import Path

from cluster.metadata.smd import SmdStore


class FileStore(SmdStore):
    """Modules as files; a save writes beside the file, syncs, and renames over it."""

    def __init__(self, directory: str | os.PathLike[str]) -> None:
        """Keep files under `directory`, which is made if it is missing. Raises OSError."""
        self._directory = Path(directory)
        self._directory.mkdir(parents=True, exist_ok=True)

    def load(self, module: str) -> bytes | None:
        """The file's bytes, or None when there is none yet. Raises OSError."""
        try:
            return self._path(module).read_bytes()
        except FileNotFoundError:
            return None

    def save(self, module: str, data: bytes) -> None:
        """Replace the file; both the bytes and the name are synced on return. Raises OSError."""
        path = self._path(module)
        beside = path.with_suffix(".smd.new")
        with open(beside, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
        directory = os.open(self._directory, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)

    def _path(self, module: str) -> Path:
        if not module.replace("-", "").replace("_", "").isalnum():
            raise ValueError(f"not a module's name: {module!r}")
        return self._directory / f"{module}.smd"
