"""`make races`: more worlds than the tests have time for, from a seed that repeats them."""

import argparse
import logging

import structlog
from hypothesis import HealthCheck, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from local_stack.progress import say
from tests.faults.races.any_interleaving import AnyInterleaving


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--examples", type=int, default=2000)
    arguments = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    say(f"{arguments.examples} worlds from seed {arguments.seed}")
    at_length = settings(
        max_examples=arguments.examples,
        stateful_step_count=80,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(seed(arguments.seed)(AnyInterleaving), settings=at_length)
    say(f"all hold: {AnyInterleaving.examples} worlds, {AnyInterleaving.steps} steps")


if __name__ == "__main__":
    main()
