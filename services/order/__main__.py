"""`python -m services.order api|relay|consumer|worker|migrate|all`."""

from services.order.app import service
from shared.process import made, run

run(made("order", service))
