"""Hostile requests, each case by name, and a real node under hostile bytes (`make attack`)."""
