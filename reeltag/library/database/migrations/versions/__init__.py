"""The versions, each on top of the one before; none is changed after it was published."""
