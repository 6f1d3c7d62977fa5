"""The main job, measured: wall clock and memory of `lodestone generate`, and where the time goes.

    python benchmarks/main_job.py [--prior empirical] [--recipe lods-gs-embedding] [--json FILE]

Runs the command in a process of its own, from the command to the files, loading included. Nothing else should run.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def run(prompt, prior, recipe):
    """Seconds, peak memory and the run's own split of its time."""
    with tempfile.TemporaryDirectory() as folder:
        words = ["generate", prompt, "--prior", prior, "--recipe", recipe, "--output", folder, "--quiet"]
        code = "import sys; from lodestone.cli import main; sys.exit(main())"
        began = time.perf_counter()
        child = subprocess.Popen([sys.executable, "-c", code, *words], stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - began
        if status:
            raise SystemExit(f"the command failed with status {status}")
        timing = json.loads(next(Path(folder).glob("*/*/timing.json")).read_text())
    memory = usage.ru_maxrss / (1024**2 if sys.platform == "darwin" else 1024)
    return {"prior": prior, "recipe": recipe, "seconds": round(seconds, 1), "memory_mb": round(memory), **timing}


def report(figures):
    """The split of a step as shares of the optimization."""
    whole = figures["optimization"]
    denoiser = figures["step: denoiser"] + figures.get("step: autoencoder", 0.0)
    shares = {"denoiser": denoiser / whole, "rendering": figures["step: rendering"] / whole}
    shares["everything else"] = 1 - sum(shares.values())
    load = os.getloadavg()[0]
    print(f"| {figures['prior']} | {figures['recipe']} | {figures['seconds']} s | {figures['memory_mb']} MB | ", end="")
    print(" | ".join(f"{share:.0%}" for share in shares.values()), f"| {load:.1f} |")


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--prompt", default="a hamburger")
    options.add_argument("--prior", nargs="*", default=["empirical", "embedded"])
    options.add_argument("--recipe", default="lods-gs-embedding")
    options.add_argument("--json", type=Path)
    chosen = options.parse_args()
    print("| prior | recipe | command to files | peak memory | denoiser | rendering | everything else | load after |")
    print("|---|---|---|---|---|---|---|---|")
    all_figures = []
    for prior in chosen.prior:
        all_figures.append(run(chosen.prompt, prior, chosen.recipe))
        report(all_figures[-1])
    if chosen.json:
        chosen.json.parent.mkdir(parents=True, exist_ok=True)
        chosen.json.write_text(json.dumps(all_figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
