"""A mail: its words, its calendar entry, and the MIME message that carries both."""
