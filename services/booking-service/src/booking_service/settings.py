"""What booking-service needs to be told."""

from pydantic import Field

from convoke.settings import Days, HttpAddress, ServiceSettings


class Settings(ServiceSettings):
    auth_service_url: HttpAddress
    mongodb_database: str = "booking"
    requests_per_minute: int = Field(default=3_000, ge=1)
    """Of one client address, on the pages that ask for no token; in each replica."""

    invitations_per_hour: int = Field(default=30, ge=1)
    """To one mail address, by bookings and new times of one organization; in each replica."""

    retain_links_days: Days = 30
    """How long a link stays with a session that is over."""
