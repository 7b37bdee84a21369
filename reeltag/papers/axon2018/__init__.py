"""Axon 2018: fourteen models, label relations and a fuller feature space, in one model."""

from reeltag.papers.axon2018.program import PROGRAM

__all__ = ["PROGRAM"]
