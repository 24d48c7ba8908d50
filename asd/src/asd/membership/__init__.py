"""The cluster's work on nodes: who is there, where clients find them, what all of them know."""
