"""`python -m services.reporting api|relay|consumer|worker|migrate|all`, or `reconcile | rebuild`."""

import sys

from services.reporting import commands
from services.reporting.app import service
from shared.process import run
from shared.settings import made

if __name__ == "__main__":
    if sys.argv[1:2] and sys.argv[1] in commands.NAMES:
        sys.exit(commands.main(sys.argv[1:]))
    run(made("reporting", service))
