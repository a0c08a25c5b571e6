"""`python -m services.identity ROLE`, or one of its commands."""

import sys

from pydantic import ValidationError

from services.identity import app, commands
from services.identity.vault import VaultError
from shared.process import run

if __name__ == "__main__":
    if sys.argv[1:2] and sys.argv[1] in commands.COMMANDS:
        sys.exit(commands.main(sys.argv[1:]))
    try:
        run(app.service())
    except VaultError as e:
        sys.exit(f"identity: {e}")
    except ValidationError as e:
        # one line, which is what `make up` shows of a service that does not start
        wrong = e.errors(include_url=False, include_input=False)
        sys.exit("identity: " + "; ".join(": ".join([*map(str, w["loc"]), w["msg"]]) for w in wrong))
