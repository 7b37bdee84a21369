"""What goes into the steps: the data, known by their content; who learns and who judges."""
