"""The hot loops, one operation per file: a torch reference, a native CPU kernel, a CUDA route; one signature."""
