"""Viva: what the notebooks import."""
