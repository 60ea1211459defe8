"""What is known of a booking, and what each side of it is still owed."""
