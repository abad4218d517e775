"""The `python3` of a step: runs a module as `python3 -m` does, with kfp's `/minio/` in the pod's own folder.

    python bootstrap.py FOLDER/ -m kfp.dsl.executor_main ...

On a cluster the folder is `/minio/` itself, which nobody but root can make.
"""

import runpy
import sys
from pathlib import Path

from kfp.dsl.types import artifact_types

if __name__ == "__main__":
    artifact_types._MINIO_LOCAL_MOUNT_PREFIX, flag, module, *words = sys.argv[1:]
    if flag != "-m":
        sys.exit(f"the stand-in's python3 knows `python3 -m MODULE` alone, not {flag}")
    sys.path[0] = str(Path.cwd())
    sys.argv = [module, *words]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
