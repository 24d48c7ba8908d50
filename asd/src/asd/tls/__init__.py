"""TLS: certificates that are read again when they change, and connections that have to show one."""
