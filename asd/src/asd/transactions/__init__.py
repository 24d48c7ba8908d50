"""Transactions on single records: plain functions from a request to a reply."""
