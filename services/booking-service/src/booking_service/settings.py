"""What booking-service needs to be told."""

from convoke.settings import ServiceSettings


class Settings(ServiceSettings):
    auth_service_url: str
    mongodb_database: str = "booking"
