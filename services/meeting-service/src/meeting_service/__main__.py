"""`python -m meeting_service`: serve until SIGTERM."""

from convoke.logs import set_up_logs
from convoke.serving import serve
from convoke.settings import load_or_exit
from meeting_service.app import build_app
from meeting_service.settings import Settings


def main() -> None:
    settings = load_or_exit(Settings)
    set_up_logs("meeting-service", settings.log_level)
    serve(build_app(settings), settings)


if __name__ == "__main__":
    main()
