"""What tests of engines, and tests of what stands on engines, need.

`ModelEngine` is the contract on a dict; `FaultyDisk` is a disk in memory that fails on order and
knows in what states a crash could have left it; `storage.testing.crash` tries such states.
"""

from storage.testing.faulty import FaultyDevice, FaultyDisk, surviving_files
from storage.testing.model import ModelEngine

__all__ = ["ModelEngine", "FaultyDevice", "FaultyDisk", "surviving_files"]
