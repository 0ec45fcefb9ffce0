"""A library of speech engines. It knows no HTTP, no database and no settings file."""

import os

# NumPy's library of products starts a thread for each core, which after a product waits for the next one at
# full speed: a tenth of the CPU time of short clips. Its products are small here. It is read once, by the
# first import of NumPy.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
