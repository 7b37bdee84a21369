"""OPPO 2019: soft labels expand a small set of rated segments."""

from reeltag.papers.oppo2019.program import PROGRAM

__all__ = ["PROGRAM"]
