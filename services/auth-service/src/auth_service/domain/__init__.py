"""What auth-service is about, without any framework: clients, connections and the permissions they need."""
