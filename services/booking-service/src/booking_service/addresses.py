"""The public addresses of a booking; whoever has one needs no other permission."""

from dataclasses import dataclass

from booking_service.domain.session import Seat


@dataclass(frozen=True)
class Addresses:
    public_url: str

    def join(self, seat: Seat) -> str:
        return f"{self.public_url}/j/{seat.join_token}"

    def manage(self, seat: Seat) -> str:
        return f"{self.public_url}/manage/{seat.manage_token}"
