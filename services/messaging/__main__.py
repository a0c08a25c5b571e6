"""`python -m services.messaging api|relay|consumer|worker|migrate|all`."""

from services.messaging.app import service
from shared.process import run
from shared.settings import made

if __name__ == "__main__":
    run(made("messaging", service))
