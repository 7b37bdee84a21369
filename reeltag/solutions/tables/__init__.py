"""The tables of each solution: the paper's figures beside ours."""
