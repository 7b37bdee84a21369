"""What numpy raises where a file does not hold the arrays that it should."""

import tokenize
import zipfile
import zlib

NOT_ARRAYS = (
    OSError,
    ValueError,
    TypeError,
    EOFError,
    KeyError,
    OverflowError,
    MemoryError,  # a header that names more values than there is memory
    SyntaxError,  # headers are Python
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
    RuntimeError,  # an archive with a password, or a compression that zipfile does not know
)
"""Of `np.load`: a missing, damaged or hostile .npy or .npz."""
