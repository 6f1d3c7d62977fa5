"""Every estimator in 2-D: recall@10 and diversity over the prompts of `prompts_v0.txt`.

    python benchmarks/playground.py [--prior embedded] [--estimators sds csd ...] [--particles 2] [--steps 50]
    python benchmarks/playground.py --table

Each prompt and estimator is one run of the playground: the same first particles, seed and steps. Every particle is
embedded by the network of the main benchmark and ranked against all pictures; diversity is the mean distance of two
particles in its features. "slot loss ratio" is the denoising loss of what was learned on the side over that of its
start, at the end: below 1 it has learned something.

Results are kept in `benchmarks/results/playground.json` as soon as they are there, so that the benchmark can be stopped
and continued; one picture for each estimator goes to `docs/playground/`.
"""

import argparse
import json
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from statistics import mean, median

import torch
from PIL import Image

from lodestone.data.emoji import load_emoji
from lodestone.evaluation.recognition import PictureIndex, Recall
from lodestone.export.pictures import to_bytes
from lodestone.playground.files import pictures_of
from lodestone.playground.metrics import diversity, saturation
from lodestone.priors.choose import open_prior
from lodestone.recipes.choose import Choice, build
from lodestone.recipes.estimators import estimators
from lodestone.runs import generate
from lodestone.storage import write_text

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "playground.json"
SHEETS = HERE.parent / "docs" / "playground"
CELL, COLUMNS = 64, 16


def run(prior, name, prompt, options):
    """The finished particles of one run."""
    choice = Choice(recipe="playground", prior=options.prior, estimator=name)
    experiment = build(choice, prompt)
    count = options.particles
    experiment = replace(
        experiment,
        scene=replace(experiment.scene, particles=count),
        plan=replace(
            experiment.plan,
            steps=options.steps,
            views=count,
            largest_time=replace(experiment.plan.largest_time, over=options.steps * 3 // 4),
            preview_every=0,
            checkpoint_every=options.steps,
            compare_slot_every=options.steps,
        ),
    )
    with tempfile.TemporaryDirectory() as folder:
        finished = generate(experiment, output=Path(folder), choice=choice, quiet=True, prior=prior)
        last = json.loads((finished.folder.path / "metrics.jsonl").read_text().splitlines()[-1])
    learned = {key: last[key] for key in ("slot_displacement", "slot_loss", "slot_loss_at_start") if key in last}
    return pictures_of(finished.scene, prior.autoencoder), learned


def evaluate(prior, name, subject, index, options):
    """Ranks, diversity, saturation and seconds of one prompt; keeps a picture of the first particle."""
    began = time.perf_counter()
    prompt = f"{'an' if subject[0] in 'aeiou' else 'a'} {subject}"
    pictures, learned = run(prior, name, prompt, options)
    seconds = time.perf_counter() - began
    target = load_emoji().names.index(subject)
    cells = HERE / "results" / "cells" / f"playground-{options.prior}-{name}"
    cells.mkdir(parents=True, exist_ok=True)
    Image.fromarray(to_bytes(pictures[0].permute(1, 2, 0))).save(cells / f"{subject}.png")
    return {
        "ranks": [index.rank(picture[None], target) for picture in pictures],
        "diversity": round(diversity(pictures)[0], 4),
        "saturation": round(float(saturation(pictures).mean()), 4),
        "seconds": round(seconds, 1),
        **learned,
    }


def contact_sheet(prior_name, name, subjects):
    """The first particle of every prompt."""
    cells = [HERE / "results" / "cells" / f"playground-{prior_name}-{name}" / f"{subject}.png" for subject in subjects]
    sheet = Image.new("RGB", (COLUMNS * CELL, -(-len(cells) // COLUMNS) * CELL), "white")
    for i, cell in enumerate(cells):
        if cell.exists():
            sheet.paste(Image.open(cell), (i % COLUMNS * CELL, i // COLUMNS * CELL))
    SHEETS.mkdir(parents=True, exist_ok=True)
    sheet.save(SHEETS / f"{prior_name}-{name}.webp", quality=80)


def table(results, subjects):
    """One line for each estimator, over the prompts that are done."""
    columns = ("prior", "estimator", "prompts", "recall@1", "recall@10", "median rank", "diversity", "saturation")
    print(f"| {' | '.join(columns)} | slot loss ratio |\n{'|---' * 9}|")
    for prior, name in sorted({tuple(key.split("/")[:2]) for key in results}):
        done = [results[key] for subject in subjects if (key := f"{prior}/{name}/{subject}") in results]
        recall = Recall.from_ranks([rank for entry in done for rank in entry["ranks"]])
        spread, colors = (mean(entry[key] for entry in done) for key in ("diversity", "saturation"))
        ratios = [entry["slot_loss"] / entry["slot_loss_at_start"] for entry in done if "slot_loss" in entry]
        figures = f"{recall.recall_at_1:.2f} | {recall.recall_at_10:.2f} | {recall.median_rank:g}"
        learned = f"{median(ratios):.3f}" if ratios else ""
        print(f"| {prior} | {name} | {len(done)} | {figures} | {spread:.2f} | {colors:.2f} | {learned} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prior", default="embedded", help="embedded or empirical")
    parser.add_argument("--estimators", nargs="*", help="by name; all by default")
    parser.add_argument("--prompts", type=int, default=32, help="only the first so many")
    parser.add_argument("--particles", type=int, default=2)
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--table", action="store_true", help="print what is there and stop")
    options = parser.parse_args()
    subjects = [name for name in (HERE / "prompts_v0.txt").read_text().split("\n") if name][: options.prompts]
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    if not options.table:
        prior, index = open_prior(options.prior, device=torch.device("cpu")), PictureIndex.load()
        names = options.estimators or list(estimators(options.prior))
        for subject in subjects:
            for name in names:
                key = f"{options.prior}/{name}/{subject}"
                if key not in results:
                    results[key] = evaluate(prior, name, subject, index, options)
                    print(key, results[key], flush=True)
                    write_text(RESULTS, json.dumps(results, indent=1, sort_keys=True) + "\n")
        for name in names:
            contact_sheet(options.prior, name, subjects)
    table(results, subjects)


if __name__ == "__main__":
    main()
