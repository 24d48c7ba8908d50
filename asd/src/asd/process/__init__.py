"""The process: its command line, logs, loop, threads, machine and compiled modules."""
