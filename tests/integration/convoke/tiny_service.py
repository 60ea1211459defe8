"""The smallest service, as a process: `python -m tests.integration.convoke.tiny_service`."""

from convoke import mongo
from convoke.lifecycle import Lifecycle
from convoke.logs import set_up_logs
from convoke.messaging.connections import Connections
from convoke.serving import http_app, serve
from convoke.settings import ServiceSettings, load_or_exit


def main() -> None:
    settings = load_or_exit(ServiceSettings)
    set_up_logs("tiny-service", settings.log_level)
    client = mongo.connect(settings.mongodb_url.get_secret_value())
    lifecycle = Lifecycle(client, Connections(settings.rabbitmq_url.get_secret_value()))
    serve(http_app("tiny-service", lifecycle), settings)


if __name__ == "__main__":
    main()
