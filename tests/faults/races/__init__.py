"""Four replicas of auth-service over one database, whose every step is put in order from outside."""
