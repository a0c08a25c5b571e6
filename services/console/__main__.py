"""`python -m services.console api|all`. The other roles have nothing to do here."""

from services.console.app import service
from shared.process import run

if __name__ == "__main__":
    run(service())
