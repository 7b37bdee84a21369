"""Moments: when is what in your own videos, from a few hundred ratings."""

from reeltag.papers.moments.program import PROGRAM

__all__ = ["PROGRAM"]
