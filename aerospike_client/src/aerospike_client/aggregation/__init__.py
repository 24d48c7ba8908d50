"""Aggregation: the client's half of stream functions, in Lua (the extra `lua`)."""

from aerospike_client.aggregation.reducer import finish_stream

__all__ = ["finish_stream"]
