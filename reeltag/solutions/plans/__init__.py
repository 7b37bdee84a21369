"""The numbers of each solution: its flags, small and published sizes, and what follows."""
