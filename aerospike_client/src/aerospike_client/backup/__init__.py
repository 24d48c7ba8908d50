"""Backup files in asbackup's format, version 3.1: written by either tool, read by the other.

`BackupReader` reads entries, `encode_header`, `encode_index`, `encode_udf` and `encode_record`
write them; neither touches the disk or a server. `backup` and `restore` do it for a cluster. Values
stay in the wire form of the protocol, so nothing is lost on the way.
"""

from aerospike_client.backup.encoder import (
    encode_header,
    encode_index,
    encode_record,
    encode_udf,
)
from aerospike_client.backup.entries import (
    BackupBin,
    BackupRecord,
    Entry,
    Header,
    IndexKind,
    IndexType,
    SecondaryIndex,
    UdfFile,
)
from aerospike_client.backup.reader import BackupFileError, BackupReader
from aerospike_client.backup.transfer import Counts, Existing, backup, restore

__all__ = [
    # what is in a file
    "Header",
    "Entry",
    "BackupRecord",
    "BackupBin",
    "SecondaryIndex",
    "IndexKind",
    "IndexType",
    "UdfFile",
    # reading
    "BackupReader",
    "BackupFileError",
    # writing
    "encode_header",
    "encode_index",
    "encode_udf",
    "encode_record",
    # from and to a cluster
    "backup",
    "restore",
    "Existing",
    "Counts",
]
