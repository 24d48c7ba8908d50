"""Following changes: a stream for applications, and a connector to HTTP and files."""

from aerospike_client.changes.change import Change, parse_change
from aerospike_client.changes.receiver import DONE, RETRY, Received, Receiver
from aerospike_client.changes.stream import ALL, ChangeStream

__all__ = ["ALL", "DONE", "RETRY", "Change", "ChangeStream", "Received", "Receiver", "parse_change"]
