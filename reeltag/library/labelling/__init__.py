"""Weak labels of whole videos, from what people have: folders, tables, tags, encoders, texts."""
