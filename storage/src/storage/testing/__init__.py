"""What tests of engines, and tests of what stands on engines, need.

`ModelEngine` is the contract on a dict; `FaultyDisk` is a disk in memory that fails on order and
knows in what states a crash could have left it; `LastingDisk` is that of a machine that crashes
again and again; `storage.testing.crash` tries such states.
"""

from storage.testing.faulty import FaultyDevice, FaultyDisk, LastingDisk, surviving_files
from storage.testing.model import ModelEngine

__all__ = ["ModelEngine", "FaultyDevice", "FaultyDisk", "LastingDisk", "surviving_files"]
