"""What booking-service needs to be told."""

from convoke.settings import HttpAddress, ServiceSettings


class Settings(ServiceSettings):
    auth_service_url: HttpAddress
    mongodb_database: str = "booking"
