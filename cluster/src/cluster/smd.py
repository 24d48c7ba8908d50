"""The name under which daemons import system metadata; it stands in `cluster.metadata.smd`."""

from cluster.metadata.smd import MemoryStore, Smd, SmdCorrupt, SmdItem, SmdStore, latest, newest

__all__ = ["MemoryStore", "Smd", "SmdCorrupt", "SmdItem", "SmdStore", "latest", "newest"]
