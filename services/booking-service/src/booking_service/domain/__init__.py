"""What may be booked, moved and cancelled: rules on plain values, without any framework."""
