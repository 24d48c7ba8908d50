"""Messages between nodes by id: `endpoint` is one node's fabric, `link` one of its connections."""

from cluster.fabric.endpoint import (
    FOREVER,
    Delivered,
    Fabric,
    FabricFull,
    Failed,
    Replied,
)
from cluster.fabric.link import FabricConfig

__all__ = ["FOREVER", "Delivered", "Fabric", "FabricConfig", "FabricFull", "Failed", "Replied"]
