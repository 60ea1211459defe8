"""What auth-service stores: clients, authorizations and connections, each collection with its own rules."""
