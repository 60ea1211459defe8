"""booking-service with its real neighbours: MongoDB, RabbitMQ, and keys that are served over HTTP."""
