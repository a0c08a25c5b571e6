"""`python -m services.webhook api|relay|consumer|worker|migrate|all`, and `new-key`."""

import sys

from services.webhook.app import service
from services.webhook.vault import VaultError, new_ring_entry
from shared.process import run


def main() -> None:
    if sys.argv[1:] == ["new-key"]:
        sys.stdout.write(new_ring_entry() + "\n")
        return
    try:
        made = service()
    except VaultError as e:
        sys.exit(f"webhook: {e}")
    run(made)


if __name__ == "__main__":
    main()
