"""Similar moments: centred frames as they are stored, and an index of candidates."""
