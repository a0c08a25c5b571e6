"""`python -m deploy.embedded.mailbox --smtp-port 1025 --http-port 8025`: the mailbox as a process."""

from __future__ import annotations

import argparse
import signal
import sys

from deploy.embedded.mailbox.server import Mailbox


def main() -> int:
    """Serve until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="python -m deploy.embedded.mailbox", description=__doc__)
    parser.add_argument("--smtp-port", type=int, default=1025)
    parser.add_argument("--http-port", type=int, default=8025)
    asked = parser.parse_args()
    signals = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)  # before the threads start, so that they inherit it
    try:
        with Mailbox(asked.smtp_port, asked.http_port):
            signal.sigwait(signals)
    except OSError as error:
        sys.stderr.write(f"the mailbox cannot listen: {error.strerror}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
