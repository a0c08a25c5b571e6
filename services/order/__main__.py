"""`python -m services.order api|relay|consumer|worker|migrate|all`."""

from services.order.app import service
from shared.process import run
from shared.settings import made

run(made("order", service))
