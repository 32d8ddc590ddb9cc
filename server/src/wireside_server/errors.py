"""Why the server does not start, in one line for people."""

from __future__ import annotations


class StartError(Exception):
    """The server cannot start; the text says what is wrong and, where it helps, what to do."""
