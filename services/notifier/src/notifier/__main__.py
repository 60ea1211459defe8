"""`python -m notifier` serves until SIGTERM."""

from convoke.logs import set_up_logs
from convoke.serving import serve
from convoke.settings import load_or_exit
from notifier.app import build_app
from notifier.settings import Settings


def main() -> None:
    settings = load_or_exit(Settings)
    set_up_logs("notifier", settings.log_level)
    serve(build_app(settings), settings)


if __name__ == "__main__":
    main()
