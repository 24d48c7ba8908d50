"""System metadata: the persisted map, its files, and the service that keeps it alike everywhere."""
