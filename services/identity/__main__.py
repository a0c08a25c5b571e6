"""`python -m services.identity ROLE`, or one of its commands."""

import sys

from services.identity import app, commands
from services.identity.vault import VaultError
from shared.process import run
from shared.settings import made

if __name__ == "__main__":
    if sys.argv[1:2] and sys.argv[1] in commands.COMMANDS:
        sys.exit(commands.main(sys.argv[1:]))
    try:
        run(made("identity", app.service))
    except VaultError as e:
        sys.exit(f"identity: {e}")
