"""`python -m aerospike_client.changes`: see `aerospike_client.changes.connector`."""

from aerospike_client.changes.connector import main

if __name__ == "__main__":
    main()
