"""The optional HTTP port: a page that shows a person the node, and figures for Prometheus.

It only reads, asks nobody who they are, and is off unless the configuration gives it a port.
"""

from asd.http.port import HttpPort

__all__ = ["HttpPort"]
