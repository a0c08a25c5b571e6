"""A catch-all mailbox for development and tests: real SMTP in, a page and a small JSON API to look at what came.

It delivers nothing. Switches make it refuse, stall or hang up, as the SMTP servers of the world do.
"""

from deploy.embedded.mailbox.behaviour import Behaviour
from deploy.embedded.mailbox.server import Mailbox
from deploy.embedded.mailbox.store import Mail

__all__ = ["Behaviour", "Mail", "Mailbox"]
