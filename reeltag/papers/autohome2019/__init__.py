"""Autohome 2019: incomplete labels, completed by weights and by which class implies which."""

from reeltag.papers.autohome2019.program import PROGRAM

__all__ = ["PROGRAM"]
