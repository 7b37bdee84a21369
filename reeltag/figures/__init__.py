"""Plots that several commands share; they need the packages of the extra `plots`."""

from reeltag.core.extras import check_extra

check_extra("plots")
