"""`python -m services.messaging api|relay|consumer|worker|migrate|all`."""

from services.messaging.app import service
from shared.process import run

if __name__ == "__main__":
    run(service())
