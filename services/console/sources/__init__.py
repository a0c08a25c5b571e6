"""Foreign order files, read into orders as `POST /v1/orders` takes them.

Owns what Shopify JSON, Peppol/UBL XML and CSV mean, and how they are handed in, for the console's page and `ordertrail
import` alike; knows nothing of HTTP. A file gives a sequence of `Found` (an
order with its warnings) and `Refused` (one that cannot be taken, and why); a file that is none of these raises
`Refusal`.
"""

from services.console.sources.detect import STDIN, files_of, read_content, read_file
from services.console.sources.handing import Options, Outcome, hand_in
from services.console.sources.model import Found, Refusal, Refused, SourceRefund

__all__ = [
    "STDIN",
    "Found",
    "Options",
    "Outcome",
    "Refusal",
    "Refused",
    "SourceRefund",
    "files_of",
    "hand_in",
    "read_content",
    "read_file",
]
