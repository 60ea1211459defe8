"""What booking-service keeps in MongoDB: hosts, event types and sessions, each document written as a whole."""
