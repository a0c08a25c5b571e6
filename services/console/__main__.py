"""`python -m services.console api|all`. The other roles have nothing to do here."""

from services.console.app import service
from shared.keyring import KeyRingError
from shared.process import run
from shared.settings import made

if __name__ == "__main__":
    run(made("console", service, KeyRingError))
