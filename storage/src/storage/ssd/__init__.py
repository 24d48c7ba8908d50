"""The `ssd` engine: a log-structured, copy-on-write store on files or raw devices.

`engine` is the store as its owner sees it, `log` one device of it, `layout` the bytes, `recovery`
how it starts, `defrag` how sparse blocks are emptied, `tomb_raider` how tombstones go.
"""

from storage.ssd.engine import SsdEngine
from storage.ssd.tomb_raider import TombRaid

__all__ = ["SsdEngine", "TombRaid"]
