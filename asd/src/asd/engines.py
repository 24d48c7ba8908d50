"""Which storage engine a namespace's configuration asks for."""

from __future__ import annotations

from asd.config import NamespaceConfig
from storage.engine import Engine
from storage.memory import MemoryEngine


def make_engine(config: NamespaceConfig) -> Engine:
    """The engine, not yet open."""
    return MemoryEngine(config.storage_engine.data_size or None)
