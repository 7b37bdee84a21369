"""Put on PYTHONPATH, this folder keeps each Python process on this machine: see sitecustomize."""
