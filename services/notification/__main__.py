"""`python -m services.notification api|relay|consumer|worker|migrate|all`."""

from services.notification.app import service
from shared.process import made, run

if __name__ == "__main__":
    run(made("notification", service))
