"""The Wireside client: a session library for bots and tools, and the terminal chat built on it."""
