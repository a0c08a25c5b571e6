"""A wrong setting ends a service with one line."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_a_wrong_setting_is_one_line_without_what_was_given() -> None:
    given = {
        "ORDERTRAIL_NOTIFICATION_RETENTION_DAYS": "zzz-secret", "ORDERTRAIL_SMTP_PASSWORD": "s3cret",
        "ORDERTRAIL_SMTP_TIMEOUT_SECONDS": "0",
    }  # fmt: skip
    ended = subprocess.run(
        [sys.executable, "-m", "services.notification", "all"],
        cwd=ROOT, env={**os.environ, **given}, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert ended.returncode == 1
    [line] = ended.stderr.splitlines()
    assert line.startswith("notification: ORDERTRAIL_SMTP_TIMEOUT_SECONDS: Input should be greater than 0; ")
    assert "ORDERTRAIL_NOTIFICATION_RETENTION_DAYS: Input should be a valid integer" in line
    assert "secret" not in line
