"""auth-service on real MongoDB and RabbitMQ, against the Zoom sandbox."""
