"""A small shell for people and scripts: `python -m aerospike_client HOST:PORT [COMMAND ...]`."""
