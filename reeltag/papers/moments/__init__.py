"""Moments: a finder of 5-second moments, from your own videos and a few hundred ratings."""

from reeltag.papers.moments.program import PROGRAM

__all__ = ["PROGRAM"]
