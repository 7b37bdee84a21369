"""Steps of the solutions with many models, by what they are for."""
