"""Versions of the tables, one file each; a library is brought to the last one when it is opened."""
