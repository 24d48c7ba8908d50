"""The `ssd` engine: a log-structured, copy-on-write store on files or raw devices.

`engine` is the store as its owner sees it, `log` one device of it, `layout` the bytes, `recovery`
how it starts, `salvage` what damaged blocks still tell, `defrag` how sparse blocks are emptied,
`tomb_raider` how tombstones go, `tuning` what may be changed meanwhile.
"""

from storage.ssd.engine import SsdEngine
from storage.ssd.tuning import Tuning

__all__ = ["SsdEngine", "Tuning"]
