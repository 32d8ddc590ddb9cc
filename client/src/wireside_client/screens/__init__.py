"""Screens of the terminal chat."""
