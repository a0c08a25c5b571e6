"""`python -m services.notification api|relay|consumer|worker|migrate|all`."""

from services.notification.app import service
from shared.process import run
from shared.settings import made

if __name__ == "__main__":
    run(made("notification", service))
