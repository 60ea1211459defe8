"""`python -m booking_service` serves."""

from booking_service.app import build_app
from booking_service.settings import Settings
from convoke.logs import set_up_logs
from convoke.serving import serve
from convoke.settings import load_or_exit


def main() -> None:
    settings = load_or_exit(Settings)
    set_up_logs("booking-service", settings.log_level)
    serve(build_app(settings), settings)


if __name__ == "__main__":
    main()
