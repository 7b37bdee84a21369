"""What the pages show and the API returns: a frozen dataclass for each thing.

A route asks the project for one of these and gives it to a template, or to the client as JSON:
one view, two faces. Times are seconds, probabilities are in [0, 1]. A figure about quality never
comes without the number of ratings behind it.
"""
