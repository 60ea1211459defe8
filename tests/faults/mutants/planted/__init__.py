"""The planted bugs: each takes one of the promises away, in the way in which it is most easily lost."""

from tests.faults.mutants.planted.bookings_and_mails import BOOKINGS_AND_MAILS
from tests.faults.mutants.planted.broker_and_database import BROKER_AND_DATABASE
from tests.faults.mutants.planted.tokens import TOKENS
from tests.faults.mutants.planted.zoom import ZOOM

MUTANTS = (*BROKER_AND_DATABASE, *ZOOM, *TOKENS, *BOOKINGS_AND_MAILS)
