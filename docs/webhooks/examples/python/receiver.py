"""A webhook receiver: verifies, answers at once, takes each event once and each order in sequence.

pip install standardwebhooks
ORDERTRAIL_SECRET=whsec_... python receiver.py 9000
"""

import json
import os
import queue
import sys
import threading
from collections import OrderedDict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from standardwebhooks import Webhook, WebhookVerificationError

REMEMBERED = 100_000


class Inbox:
    """What has been taken. Keep both in your database, in the transaction of what the event does."""

    def __init__(self, secret: str) -> None:
        self._webhook = Webhook(secret)
        self._lock = threading.Lock()
        self._ids: OrderedDict[str, None] = OrderedDict()
        self._sequences: OrderedDict[str, int] = OrderedDict()

    def take(self, headers: dict[str, str], body: bytes) -> dict | None:
        """The event, or None where it is a repetition or older than what is known of its order.

        Raises WebhookVerificationError for what was not signed with the secret, or is older than five minutes.
        """
        event = self._webhook.verify(body, headers)
        data = event["data"]
        with self._lock:
            if headers["webhook-id"] in self._ids:
                return None
            remember(self._ids, headers["webhook-id"], None)
            if event["type"].startswith("order."):
                if data["sequence"] <= self._sequences.get(data["order_id"], 0):
                    return None
                remember(self._sequences, data["order_id"], data["sequence"])
        return event


def remember(known: OrderedDict, key: str, value: object) -> None:
    known[key] = value
    while len(known) > REMEMBERED:
        known.popitem(last=False)


def serve(port: int, inbox: Inbox, work: queue.Queue) -> None:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            try:
                event = inbox.take({name.lower(): value for name, value in self.headers.items()}, body)
                status = 204
            except WebhookVerificationError:
                event, status = None, 401
            if event is not None:
                work.put(event)  # answer first, work later: the sender waits 15 seconds at most
            self.send_response(status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()


def main() -> None:
    work: queue.Queue = queue.Queue(maxsize=10_000)
    port, inbox = int(sys.argv[1]), Inbox(os.environ["ORDERTRAIL_SECRET"])
    threading.Thread(target=serve, args=(port, inbox, work), daemon=True).start()
    while True:
        event = work.get()
        data = event["data"]
        line = {"type": event["type"], "order_id": data["order_id"], "sequence": data.get("sequence")}
        print(json.dumps(line), flush=True)  # noqa: T201  an example tells what it got


if __name__ == "__main__":
    main()
