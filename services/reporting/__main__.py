"""`python -m services.reporting api|relay|consumer|worker|migrate|all`."""

from services.reporting.app import service
from shared.process import run

if __name__ == "__main__":
    run(service())
