"""Erasing a service's share of what somebody wants to be gone: batches under a lease, tombstones, and a receipt."""
