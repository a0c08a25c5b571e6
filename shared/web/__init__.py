"""HTTP for every service: one application factory, one way in, one form of refusal."""

from shared.web.app import Caller, Run, create_app, operations_app
from shared.web.body import Router, max_body
from shared.web.etags import IfMatch, Precondition, etag, not_modified
from shared.web.idempotency import Answer, Idempotent, Once
from shared.web.paging import Cursor, Page, Paging
from shared.web.principal import ActingAs, Principal
from shared.web.settings import WebSettings

__all__ = [
    "ActingAs",
    "Answer",
    "Caller",
    "Cursor",
    "Idempotent",
    "IfMatch",
    "Once",
    "Page",
    "Paging",
    "Precondition",
    "Principal",
    "Router",
    "Run",
    "WebSettings",
    "create_app",
    "etag",
    "max_body",
    "not_modified",
    "operations_app",
]
