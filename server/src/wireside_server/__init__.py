"""The Wireside chat server: on its own TCP, on the kernel's, or on both side by side."""

from typing import Final

__version__: Final = "0.1.0"
