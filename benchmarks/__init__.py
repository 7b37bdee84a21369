"""The programs behind every speed and memory figure: `make bench`."""
