"""Meetings at Zoom: a reconciler of desired against actual state."""
