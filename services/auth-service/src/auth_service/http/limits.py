"""How often a client may ask where it has not shown yet who it is (ADR 0028)."""

from auth_service.settings import Settings
from convoke.rate_limits import RateLimit, for_each_client

MINUTE = 60.0


class Limits:
    """`each_client` is for `include_router`, `failed` for wrong credentials, `unsigned` for webhooks of nobody."""

    def __init__(self, settings: Settings) -> None:
        self.each_client = for_each_client(settings.requests_per_minute)
        self.failed = RateLimit(settings.failed_logins_per_minute, MINUTE)
        self.unsigned = RateLimit(10 * settings.failed_logins_per_minute, MINUTE)
