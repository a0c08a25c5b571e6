"""`python -m services.webhook api|relay|consumer|worker|migrate|all`, and `new-key`."""

import sys

from services.webhook.app import service
from shared.keyring import KeyRingError, new_entry
from shared.process import run
from shared.settings import made


def main() -> None:
    if sys.argv[1:] == ["new-key"]:
        sys.stdout.write(new_entry() + "\n")
        return
    run(made("webhook", service, KeyRingError))


if __name__ == "__main__":
    main()
