"""The rules of booking-service, on plain values."""
