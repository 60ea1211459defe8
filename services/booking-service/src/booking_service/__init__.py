"""Hosts, event types, sessions and bookings."""
