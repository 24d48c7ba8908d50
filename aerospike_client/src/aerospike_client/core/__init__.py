"""The client's decisions without IO: events in, what to do out. No clock, no socket, no thread."""
