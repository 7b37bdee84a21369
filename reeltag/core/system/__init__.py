"""What differs between Linux, macOS and Windows; nothing else asks which of them it runs on.

Each module has a branch for Windows and one for the others, which a type checker sees too:
`mypy --platform win32` and `--platform darwin` are part of `make check`.
"""
