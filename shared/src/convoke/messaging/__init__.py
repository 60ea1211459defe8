"""Events in and out: CloudEvents on RabbitMQ, the outbox in the aggregate, and settled consumption."""
