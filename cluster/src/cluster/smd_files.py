"""The name under which daemons import metadata in files; it stands in `cluster.metadata.files`."""

from cluster.metadata.files import FileStore

__all__ = ["FileStore"]
