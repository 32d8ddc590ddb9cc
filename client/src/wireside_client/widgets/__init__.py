"""Widgets of the terminal chat."""
