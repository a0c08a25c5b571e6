"""Foreign order files, read into orders as `POST /v1/orders` takes them.

Owns what Shopify JSON, Peppol/UBL XML and CSV mean; knows nothing of HTTP. A file gives a sequence of `Found` (an
order with its warnings) and `Refused` (one that cannot be taken, and why); a file that is none of these raises
`Refusal`.
"""

from cli.sources.detect import STDIN, files_of, read_file
from cli.sources.model import Found, Refusal, Refused, SourceRefund

__all__ = ["STDIN", "Found", "Refusal", "Refused", "SourceRefund", "files_of", "read_file"]
