"""`make lock`: resolves the dependencies anew and writes every lock file. None of them names a host.

requirements.lock is what a checkout installs; requirements-image.lock is the part of it that the container image
needs, at the same versions; embedded/jars.lock is Kafka.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from deploy.embedded import jars

ROOT = Path(__file__).parents[1]
LOCK = "requirements.lock"
IMAGE_LOCK = "requirements-image.lock"
COMPILE = ("uv", "pip", "compile", "--quiet", "--universal", "--generate-hashes", "--python-version", "3.11")


def image_lock_command(output: str = IMAGE_LOCK) -> list[str]:
    """The command that writes the image's lock: constrained to what requirements.lock says."""
    return [*COMPILE, "--constraint", LOCK, "pyproject.toml", "--output-file", output]


def main() -> int:
    """`--jars` resolves Kafka's jars too, which needs Maven. Returns the exit code."""
    commands = [
        [*COMPILE, "--extra", "embedded", "--extra", "dev", "pyproject.toml", "--output-file", LOCK],
        image_lock_command(),
    ]
    for command in commands:
        done = subprocess.run([str(Path(sys.executable).parent / command[0]), *command[1:]], cwd=ROOT, check=False)
        if done.returncode:
            return done.returncode
    if "--jars" in sys.argv[1:]:
        print(f"{jars.LOCK_FILE.name}: {jars.write_lock()} jars")
    return 0


if __name__ == "__main__":
    sys.exit(main())
