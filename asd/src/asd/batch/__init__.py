"""Batches: many rows, each a transaction on one record, in one request."""

from asd.batch.batch import answer

__all__ = ["answer"]
