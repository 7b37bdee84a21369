"""One data folder as the server holds it: videos, curves, ratings, finders; it makes the views."""
