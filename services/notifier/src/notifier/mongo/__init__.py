"""What the notifier keeps: correspondence about bookings, and notices about Zoom connections."""
