"""Recognition of 3D results: recall@1, recall@10 and median rank over the prompts of `prompts_v0.txt`.

    python benchmarks/recall.py --prior empirical --methods samples sds-gs csd-gs ssd-gs lods-gs-embedding
    python benchmarks/recall.py --prior world --methods truth truth-at-40 truth-at-32 sds-gs
    python benchmarks/recall.py --table

`world` knows 29 of the names. `truth` are four of its objects for each as they are: what a prior that knows them
perfectly would be given; `truth-at-40` and `truth-at-32` are the same pictures with so many pixels a side, made large
again. Its 3D results follow exact scores of rendered views, so that what they lose against the truth is not a
denoiser's fault. Every run is kept in `benchmarks/results/recall.json` as soon as it is done, so that the benchmark can
be stopped and continued; the contact sheets go to `docs/recall/`. A 3D result is seen from 8 azimuths at its recipe's
evaluation camera; the samples of a prior are 4 pictures each.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

import torch
from PIL import Image

from lodestone.allocation import keep_freed_memory
from lodestone.data.emoji import load_emoji
from lodestone.data.worlds.requests import nouns, parse
from lodestone.data.worlds.world import World
from lodestone.evaluation.recognition import PictureIndex, Recall
from lodestone.export.pictures import render_views, to_bytes
from lodestone.optimize.journal import Journal
from lodestone.optimize.loop import optimize
from lodestone.optimize.run_folder import RunFolder
from lodestone.priors.choose import open_prior
from lodestone.priors.sampling import sample
from lodestone.priors.world_views import see_on_white
from lodestone.prompts.conditioning import ConditioningSet
from lodestone.prompts.prompt import EncodedPrompt, PromptSettings
from lodestone.recipes.choose import Choice, build
from lodestone.rendering.cameras import SMALL_CAMERA
from lodestone.runs import begin
from lodestone.storage import write_text

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "recall.json"
SHEETS = HERE.parent / "docs" / "recall"
CELL, COLUMNS = 96, 8
OBJECTS = 4
"""Objects of the world for each name: single ones are lucky or not."""


def prompt_of(name):
    """The name as a person would write it."""
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def sampled_views(prior_name, name):
    """Four samples of the prior."""
    prior = open_prior(prior_name, device=torch.device("cpu"))
    settings = PromptSettings(text=prompt_of(name), view_dependent=False)
    one = EncodedPrompt.encode(settings, prior.text_encoder)
    rows = ConditioningSet(positive=one.directions, null=one.null.expand(4))
    latents = sample(prior.denoiser, rows, steps=25, guidance_scale=3.0, rng=torch.Generator().manual_seed(0))
    return prior.autoencoder.decode(latents)


def true_views(name, number):
    """Eight views of one of the world's objects of that name."""
    return see_on_white(World(0).make(parse(prompt_of(name)), number).mesh, SMALL_CAMERA.viewpoints(8), 224)


def smaller(views, side):
    """The same views with so many pixels a side, made large again."""
    small = torch.nn.functional.interpolate(views, size=side, mode="area")
    return torch.nn.functional.interpolate(small, size=views.shape[-1], mode="bicubic").clamp(0, 1)


def finished_scene(experiment):
    """The 3D result of an experiment of one stage; no files are kept."""
    assert experiment.previous is None, "one stage alone"
    keep_freed_memory()
    prior = open_prior(experiment.prior, device=torch.device("cpu"))
    encoded, state = begin(experiment, prior)
    with tempfile.TemporaryDirectory() as folder:
        steps = experiment.plan.steps
        with Journal(
            RunFolder(Path(folder)), steps=steps, first=0, preview_every=0, checkpoint_every=10**6, quiet=True
        ) as journal:
            optimize(experiment, prior, encoded, state, journal)
    return state.scene


def optimized_views(prior_name, recipe, name):
    """Eight views of a finished 3D result."""
    experiment = build(Choice(recipe=recipe, prior=prior_name), prompt_of(name))
    renderings = render_views(finished_scene(experiment), experiment.evaluation.viewpoints(8), 224)
    return torch.cat([rendering.color.permute(0, 3, 1, 2) for rendering in renderings])


def all_views(prior_name, method, name):
    """The views of one result, or of each of several."""
    if method.startswith("truth"):
        views = [true_views(name, number) for number in range(OBJECTS)]
        side = method.removeprefix("truth").removeprefix("-at-")
        return [smaller(one, int(side)) for one in views] if side else views
    return [sampled_views(prior_name, name) if method == "samples" else optimized_views(prior_name, method, name)]


def evaluate(prior_name, method, name, index):
    """Ranks and seconds of one prompt; keeps a small picture of two views."""
    began = time.perf_counter()
    results = all_views(prior_name, method, name)
    seconds = (time.perf_counter() - began) / len(results)
    shown = torch.nn.functional.interpolate(results[0][:2].clamp(0, 1), size=CELL, mode="area")
    cells = HERE / "results" / "cells" / f"{prior_name}-{method}"
    cells.mkdir(parents=True, exist_ok=True)
    Image.fromarray(to_bytes(torch.cat(list(shown), dim=2).permute(1, 2, 0))).save(cells / f"{name}.png")
    target = load_emoji().names.index(name)
    return {"ranks": [index.rank(views, target) for views in results], "seconds": round(seconds, 1)}


def contact_sheet(prior_name, method, names):
    """All prompts of one method in one picture, two views each."""
    cells = [HERE / "results" / "cells" / f"{prior_name}-{method}" / f"{name}.png" for name in names]
    rows = -(-len(cells) // COLUMNS)
    sheet = Image.new("RGB", (COLUMNS * 2 * CELL, rows * CELL), "white")
    for i, cell in enumerate(cells):
        if cell.exists():
            sheet.paste(Image.open(cell), (i % COLUMNS * 2 * CELL, i // COLUMNS * CELL))
    SHEETS.mkdir(parents=True, exist_ok=True)
    sheet.save(SHEETS / f"{prior_name}-{method}.webp", quality=85)


def table(results, names):
    """One line for each prior and method, over the prompts that are done."""
    print("| prior | method | prompts | recall@1 | recall@10 | median rank | seconds each |")
    print("|---|---|---|---|---|---|---|")
    for key in sorted({tuple(entry.split("/")[:2]) for entry in results}):
        done = [results[f"{key[0]}/{key[1]}/{name}"] for name in names if f"{key[0]}/{key[1]}/{name}" in results]
        recall = Recall.from_ranks([rank for entry in done for rank in entry["ranks"]])
        seconds = sorted(entry["seconds"] for entry in done)[len(done) // 2]
        figures = f"{recall.recall_at_1:.2f} | {recall.recall_at_10:.2f} | {recall.median_rank:g} | {seconds:.0f}"
        print(f"| {key[0]} | {key[1]} | {len(done)} | {figures} |")


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--prior", default="empirical")
    options.add_argument("--methods", nargs="*", default=["samples", "sds-gs", "csd-gs", "ssd-gs", "lods-gs-embedding"])
    options.add_argument("--prompts", type=int, default=32, help="only the first so many")
    options.add_argument("--table", action="store_true", help="print what is there and stop")
    options.add_argument("--again", action="store_true", help="forget earlier results of these methods")
    chosen = options.parse_args()
    names = (HERE / "prompts_v0.txt").read_text().split("\n")
    names = [name for name in names if name][: chosen.prompts]
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    index = None if chosen.table else PictureIndex.load()
    for method in [] if chosen.table else chosen.methods:
        for name in names:
            if chosen.prior == "world" and name not in nouns():
                continue
            key = f"{chosen.prior}/{method}/{name}"
            if chosen.again or key not in results:
                results[key] = evaluate(chosen.prior, method, name, index)
                print(key, results[key], flush=True)
                write_text(RESULTS, json.dumps(results, indent=1, sort_keys=True) + "\n")
        contact_sheet(chosen.prior, method, names)
    table(results, names)


if __name__ == "__main__":
    main()
