"""Makes `.venv` from `requirements.lock`: the first thing `make` does on a new machine.

Run by whatever `python3` there is, so it uses the standard library alone and stays readable to old Pythons: they have
to get as far as the message. A mark in `.venv` says which lock it was made from; half-made ones are made anew.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
MARK = ".venv/.made-from"
PYTHON = ".venv/bin/python"
UV = ".venv/bin/uv"
OLDEST = (3, 11)
NEWER = ("python3.13", "python3.12", "python3.11", "python3.14")
LEAST_FREE_MB = 1500


def _at(path: str) -> str:
    return os.path.join(ROOT, path)


class Trouble(Exception):
    """One line: what is wrong and what to do."""


def main() -> int:
    """Returns the exit code."""
    try:
        if sys.version_info < OLDEST:
            return _with_newer_python()
        wanted = _fingerprint()
        if _read(_at(MARK)) == wanted:
            return 0
        _make(wanted)
    except Trouble as trouble:
        sys.stderr.write("%s\n" % trouble)
        return 1
    return 0


def _with_newer_python() -> int:
    for name in NEWER:
        path = shutil.which(name)
        if path:
            return subprocess.call([path, os.path.abspath(__file__)])
    raise Trouble(
        "Python %d.%d or newer is needed, python3 is %s -- install one, for instance: apt-get install python3.11 "
        "python3.11-venv" % (OLDEST[0], OLDEST[1], sys.version.split()[0])
    )


def _fingerprint() -> str:
    with open(_at("requirements.lock"), "rb") as lock, open(_at("pyproject.toml"), "rb") as project:
        scripts = re.search(rb"\[project\.scripts\][^\[]*", project.read())
        return "%s %d.%d" % (
            hashlib.sha256(lock.read() + (scripts.group(0) if scripts else b"")).hexdigest(), sys.version_info[0],
            sys.version_info[1],
        )  # fmt: skip


def _read(path: str) -> str:
    try:
        with open(path) as file:
            return file.read().strip()
    except OSError:
        return ""


def _make(wanted: str) -> None:
    free = shutil.disk_usage(ROOT).free // 2**20
    if free < LEAST_FREE_MB:
        raise Trouble("only %d MB are free for .venv -- free %d MB more" % (free, LEAST_FREE_MB - free))
    _say("making the Python environment (.venv), once")
    if os.path.exists(_at(MARK)):
        os.unlink(_at(MARK))
    uv = _environment_with_uv()
    into = ["--quiet", "--python", _at(PYTHON)]
    _run([uv, "pip", "sync", *into, "--require-hashes", _at("requirements.lock")], "installing the packages")
    _run(
        [uv, "pip", "install", *into, "--no-deps", "--no-build-isolation", "--editable", ROOT],
        "installing the ordertrail command",
    )
    with open(_at(MARK + ".new"), "w") as mark:
        mark.write(wanted)
    os.replace(_at(MARK + ".new"), _at(MARK))


def _environment_with_uv() -> str:
    """A .venv of this Python; returns the path of a uv to fill it with."""
    uv = shutil.which("uv")
    if uv:
        if not os.path.exists(_at(PYTHON)) or not _is_this_python():
            _run(
                [uv, "venv", "--quiet", "--clear", "--no-project", "--python", sys.executable, _at(".venv")], "uv venv"
            )
        return uv
    uv = _at(UV)
    if os.path.exists(uv) and _is_this_python() and subprocess.call([uv, "--version"], stdout=subprocess.DEVNULL) == 0:
        return uv
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError:
        version = "%d.%d" % sys.version_info[:2]
        raise Trouble(
            "this Python has no venv module -- install it (apt-get install python3-venv, or python%s-venv), or install "
            "uv, then run make again" % version
        ) from None
    _run([sys.executable, "-m", "venv", "--clear", _at(".venv")], "python3 -m venv")
    with tempfile.TemporaryDirectory() as scratch:
        only_uv = os.path.join(scratch, "uv.txt")
        with open(only_uv, "w") as file:
            file.write(_locked("uv"))
        _run(
            [
                _at(PYTHON),
                "-m",
                "pip",
                "install",
                "--quiet",
                "--require-hashes",
                "--no-deps",
                "-r",
                only_uv,
            ],
            "getting uv",
        )
    return uv


def _is_this_python() -> bool:
    show = "import sys; print(sys.version_info[:2])"
    try:
        return subprocess.check_output([_at(PYTHON), "-c", show]).decode().strip() == str(sys.version_info[:2])
    except (OSError, subprocess.CalledProcessError):
        return False


def _locked(name: str) -> str:
    """The lines of one package in the lock file, with its hashes."""
    with open(_at("requirements.lock")) as file:
        found = re.search(r"^%s==.*?(?=^\S)" % re.escape(name), file.read() + "\nend", re.MULTILINE | re.DOTALL)
    if not found:
        raise Trouble("requirements.lock has no %s -- restore it from git" % name)
    return "".join(line + "\n" for line in found.group(0).splitlines() if line.strip() and "#" not in line)


def _run(command: list, what: str) -> None:  # type: ignore[type-arg]  # Python 3.8 has no list[str]
    environment = dict(os.environ, UV_PYTHON_DOWNLOADS="never")
    environment.pop("VIRTUAL_ENV", None)
    done = subprocess.run(command, env=environment, cwd=ROOT, stderr=subprocess.PIPE, universal_newlines=True)
    if done.returncode:
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()] or ["no reason given"]
        known = {
            "no space left": "free some space and run it again",
            "resolve": "check the connection to the package index",
            "connect": "check the connection to the package index",
            "dns": "check the connection to the package index",
            "permission": "make %s writable for you" % ROOT,
        }
        reason = " ".join(lines)
        reason = reason if len(reason) < 500 else reason[:150] + " ... " + reason[-300:]
        remedy = next(
            (remedy for part, remedy in known.items() if part in reason.lower()), "mend that and run it again"
        )
        raise Trouble("%s failed: %s -- %s" % (what, reason, remedy))


def _say(line: str) -> None:
    sys.stdout.write("%s\n" % line)
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
