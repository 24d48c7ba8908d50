"""Faults to order: what tests have a server do to requests that it would otherwise answer."""

from asd.faults.fault import CONNECT, INFO, KINDS, Asked, Fault, Match, Reply, asked
from asd.faults.faults import Faults

__all__ = ["CONNECT", "INFO", "KINDS", "Asked", "Fault", "Faults", "Match", "Reply", "asked"]
