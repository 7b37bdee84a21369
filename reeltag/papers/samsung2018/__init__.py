"""Samsung 2018: a hundred networks under trees, whose soft labels train one graph."""

from reeltag.papers.samsung2018.program import PROGRAM

__all__ = ["PROGRAM"]
