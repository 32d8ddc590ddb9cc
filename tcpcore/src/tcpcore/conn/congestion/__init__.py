"""Congestion control algorithms, pluggable by name."""
