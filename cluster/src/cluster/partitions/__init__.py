"""Partitions: balance, versions, exchange, plans, migration, and what clients are told of it."""
