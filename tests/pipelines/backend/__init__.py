"""A stand-in for the backend of Kubeflow Pipelines 2.17: runs compiled YAML as its driver and its launcher do.

`Backend.run` takes the YAML of the pipeline or of one component. What a step is given, what it may write and which of
its outputs are refused is as on a cluster, where `pipelines.local` and kfp's local runner are more forgiving:

- an input artifact has no type that kfp could read, a number as its name, and metadata that went through the metadata
  store (`metadata`);
- artifacts pass through an object store, file by file (`store`);
- the step runs without privileges, in a folder and with a `HOME` that it cannot write to, its inputs are read-only
  (`pod`);
- metadata that the store cannot hold fail the task after its work is done (`launcher`);
- tasks behind a failed one do not run (`backend`).

The file `executor_input.json` is what a real backend sent to evaluate when it had a task for each regime, without
two of its outputs.
"""
