import os

# one thread per process, as every worker of a campaign: results do not depend on the core count
for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "1")
