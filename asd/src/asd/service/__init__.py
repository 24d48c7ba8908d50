"""The service port: clients on sockets, and what kind of request they send."""
