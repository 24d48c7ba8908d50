"""The Aerospike wire protocol without IO: bytes in, objects out."""
