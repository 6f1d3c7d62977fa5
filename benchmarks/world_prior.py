"""What the judge sees: the truth, the prior's own samples, and 3D results of several estimators.

    python benchmarks/world_prior.py truth
    python benchmarks/world_prior.py samples --telling camera words
    python benchmarks/world_prior.py assets --methods sds-gs csd-gs ssd-gs lods-gs-embedding --telling camera words
    python benchmarks/world_prior.py assets --telling camera --kinds SINGLE --each 50
    python benchmarks/world_prior.py table --kinds SEVERAL
    python benchmarks/world_prior.py table --each 20

The captions are those of `captions_v1.txt`, on none of which the prior was trained: 60 single objects, 70 with
surroundings, 70 several. Truth and samples are seen from the front, the right, the back and the left. Of the assets
there are `--each` captions of each kind; they are rendered from 8 azimuths and judged together. Single objects are
compared with the nearest object that their caption means, too (`lodestone.evaluation.truth`).

The prior is told a view by its camera (`camera`) or by words such as ", back view" (`words`). Words do not say which of
the two sides a side view shows; of the samples told by words either is right. Every result is kept in
`benchmarks/results/world_prior.json` as soon as it is there, so that the benchmark can be stopped and continued;
contact sheets go to `docs/world_prior/`.
"""

import argparse
import json
import statistics
import time
from dataclasses import asdict, replace
from itertools import zip_longest
from pathlib import Path

import torch
from PIL import Image
from recall import finished_scene

from lodestone.data.worlds.captions import Kind
from lodestone.data.worlds.requests import parse
from lodestone.data.worlds.world import World
from lodestone.evaluation.judge.load import load_judge
from lodestone.evaluation.judge.quadrants import Quadrant, quadrant_of
from lodestone.evaluation.report.assets import Views, judge_asset, look_at
from lodestone.evaluation.report.judging import judge_pictures
from lodestone.evaluation.report.saturation import saturation
from lodestone.evaluation.truth import distance_to_truth, fixes_object
from lodestone.export.pictures import to_bytes
from lodestone.priors.choose import open_prior
from lodestone.priors.sampling import sample
from lodestone.priors.world_views import see_scene
from lodestone.prompts.prompt import EncodedPrompt, PromptSettings
from lodestone.recipes.choose import Choice, build
from lodestone.rendering.cameras import SMALL_CAMERA
from lodestone.storage import load_tensors, save_tensors, write_text

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "world_prior.json"
CAPTIONS = HERE / "captions_v1.txt"
SHEETS = HERE.parent / "docs" / "world_prior"
FOUR = SMALL_CAMERA.viewpoints(4)
CELL, COLUMNS = 64, 4
TRUTH = 10_000
"""Number of the object that stands for the truth: another one than those that assets are compared with."""


def captions_of(each, chosen):
    """So many captions of each chosen kind, one kind after the other, so that a part has all of them."""
    captions = CAPTIONS.read_text().splitlines()
    kinds = {kind: [caption for caption in captions if parse(caption).kind is kind] for kind in chosen}
    rounds = zip_longest(*(kinds[kind][:each] for kind in chosen))
    return [caption for some in rounds for caption in some if caption is not None]


def told(telling):
    """The fields of a prompt."""
    return {"camera": telling == "camera", "view_dependent": telling == "words"}


def true_views(caption, _chosen, _telling):
    """One object that the caption means."""
    seen = see_scene(World(0).make(parse(caption), TRUTH).mesh, FOUR, 64)
    return seen.over(torch.ones(4, 3)), seen.mask[..., 0] > 0.5


def sampled_views(caption, chosen, telling):
    """One sample of the prior for each view; what differs from white belongs to the object."""
    prior = open_prior(chosen.prior, device=torch.device("cpu"))
    prompt = EncodedPrompt.encode(PromptSettings(text=caption, **told(telling)), prior.text_encoder)
    rng = torch.Generator().manual_seed(0)
    rows = prompt.for_viewpoints(FOUR)
    latents = sample(prior.denoiser, rows, steps=25, guidance_scale=chosen.scale, rng=rng)
    views = prior.autoencoder.decode(latents).clamp(0, 1).permute(0, 2, 3, 1)
    return views, (1 - views).amax(-1) > 0.1


def told_side(judgement, telling):
    """Share of the four views that show the side that was told; words do not say which of the two sides."""
    if judgement.viewpoint is None or telling == "camera":
        return judgement.viewpoint
    either = {Quadrant.RIGHT: Quadrant.LEFT}
    asked = [Quadrant(number) for number in quadrant_of(FOUR.azimuth).tolist()]
    pairs = zip(judgement.sides, asked, strict=True)
    return statistics.mean(either.get(seen, seen) is either.get(wanted, wanted) for seen, wanted in pairs)


def judged_views(see, caption, chosen, telling):
    """Figures of four pictures, each judged alone; and the pictures."""
    began = time.perf_counter()
    views, solid = see(caption, chosen, telling)
    seconds = time.perf_counter() - began
    judgement = judge_pictures(chosen.judge, views, parse(caption), FOUR.azimuth)
    colors = saturation(views, solid)
    figures = {**asdict(judgement.alone), "viewpoint": told_side(judgement, telling), "janus": judgement.janus}
    chroma = None if colors is None else round(colors.chroma, 2)
    return {**figures, "chroma": chroma, "seconds": round(seconds, 2)}, views


def optimized(caption, prior, recipe, telling):
    """A finished 3D result and the camera that its recipe is judged from."""
    experiment = build(Choice(recipe=recipe, prior=prior), caption)
    experiment = replace(experiment, prompt=replace(experiment.prompt, **told(telling)))
    return finished_scene(experiment), experiment.evaluation


def seen_asset(path, caption, chosen, recipe, telling):
    """The eight views of a 3D result, its seconds and its distance to the truth; kept, for another judge to see."""
    if not path.exists():
        began = time.perf_counter()
        scene, camera = optimized(caption, chosen.prior, recipe, telling)
        known = {"seconds": round(time.perf_counter() - began, 1)}
        if fixes_object(parse(caption)):
            distance = distance_to_truth(scene, caption, camera)
            known |= {"iou": round(distance.turned.iou, 4), "psnr": round(distance.turned.psnr, 2)}
        views = look_at(scene, camera)
        color = (255 * views.color).round().to(torch.uint8)
        save_tensors(path, {"color": color, "solid": views.solid, "azimuth": views.azimuth}, known)
    tensors, known = load_tensors(path)
    color = tensors["color"].float() / 255
    return Views(color=color, solid=tensors["solid"], azimuth=tensors["azimuth"]), known


def judged_asset(group, caption, chosen, recipe, telling):
    """Figures of a 3D result over its eight views; and four of them."""
    path = cell(group, caption).with_suffix(".safetensors")
    views, known = seen_asset(path, caption, chosen, recipe, telling)
    judged = judge_asset(chosen.judge, views, prompt=caption, seconds=known["seconds"])
    figures = {name: value for name, value in asdict(judged.figures).items() if name not in ("rank", "clipped")}
    return {**figures, **known}, views.color[::2]


def cell(group, caption):
    """Where the small pictures of a result are kept."""
    return HERE / "results" / "cells" / group.replace("/", "-") / f"{caption.replace(' ', '-')}.png"


def keep_cell(group, caption, views):
    """Four views in a row."""
    small = torch.nn.functional.interpolate(views.permute(0, 3, 1, 2), size=CELL, mode="area")
    path = cell(group, caption)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(to_bytes(torch.cat(list(small), dim=2).permute(1, 2, 0))).save(path)


def contact_sheet(group):
    """All results of one row of the table, in the order in which they are made."""
    cells = [cell(group, caption) for caption in captions_of(100, Kind)]
    cells = [path for path in cells if path.exists()]
    sheet = Image.new("RGB", (COLUMNS * 4 * CELL, -(-len(cells) // COLUMNS) * CELL), "white")
    for i, path in enumerate(cells):
        sheet.paste(Image.open(path), (i % COLUMNS * 4 * CELL, i // COLUMNS * CELL))
    SHEETS.mkdir(parents=True, exist_ok=True)
    sheet.save(SHEETS / f"{group.replace('/', '-')}.webp", quality=80)


def name_of(prior):
    """Of a prior that may be a folder."""
    return Path(prior).name


def work(chosen, results):
    """Every row and caption that is asked for and not there."""
    methods = {"truth": ["truth"], "samples": ["samples"], "assets": chosen.methods}[chosen.part]
    rows = [("truth", "truth", "camera")] if chosen.part == "truth" else None
    rows = rows or [(name_of(chosen.prior), method, telling) for method in methods for telling in chosen.telling]
    each = chosen.each or (20 if chosen.part == "assets" else 100)
    captions = captions_of(each, [Kind[name] for name in chosen.kinds])
    # Caption after caption, so that every row has the same ones when the benchmark is stopped.
    for caption in captions[chosen.first :]:
        for row in rows:
            group = "/".join(row)
            if f"{group}/{caption}" in results:
                continue
            if chosen.part == "assets":
                figures, views = judged_asset(group, caption, chosen, row[1], row[2])
            else:
                see = true_views if chosen.part == "truth" else sampled_views
                figures, views = judged_views(see, caption, chosen, row[2])
            results[f"{group}/{caption}"] = figures
            keep_cell(group, caption, views)
            write_text(RESULTS, json.dumps(results, indent=1, sort_keys=True) + "\n")
            print(group, caption, figures, flush=True)
    for row in rows:
        contact_sheet("/".join(row))


def mean(entries, name, digits=2):
    """Over those that have the figure."""
    values = [entry[name] for entry in entries if entry.get(name) is not None]
    return f"{statistics.mean(values):.{digits}f}" if values else "-"


def table(results):
    """One line for each row."""
    columns = "category, single | category, all | colour | relation | viewpoint | Janus, single | chroma | IoU | PSNR"
    print(f"| prior | what | told by | captions | {columns} | seconds |")
    print("|" + "---|" * 14)
    kinds = {caption: parse(caption).kind for caption in CAPTIONS.read_text().splitlines()}
    for row in sorted({tuple(key.split("/")[:3]) for key in results}):
        entries = {key.split("/")[3]: entry for key, entry in results.items() if tuple(key.split("/")[:3]) == row}
        single = [entry for caption, entry in entries.items() if kinds[caption] is Kind.SINGLE]
        all_of_them = list(entries.values())
        figures = [mean(single, "category"), *(mean(all_of_them, name) for name in ("category", "color", "relation"))]
        figures += [mean(all_of_them, "viewpoint"), mean(single, "janus"), mean(all_of_them, "chroma", 0)]
        figures += [mean(single, "iou"), mean(single, "psnr", 1), mean(all_of_them, "seconds", 1)]
        print(f"| {' | '.join(row)} | {len(entries)} | {' | '.join(figures)} |")


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("part", choices=["truth", "samples", "assets", "table"])
    options.add_argument("--prior", default="embedded")
    options.add_argument("--methods", nargs="*", default=["sds-gs", "csd-gs", "ssd-gs", "lods-gs-embedding"])
    options.add_argument("--telling", nargs="*", default=["camera", "words"], choices=["camera", "words"])
    options.add_argument("--each", type=int, default=0, help="captions of each kind: 20 for assets, else all")
    kinds = [kind.name for kind in Kind]
    options.add_argument("--kinds", nargs="*", default=kinds, choices=kinds)
    options.add_argument("--first", type=int, default=0, help="leave out so many captions")
    options.add_argument("--scale", type=float, default=3.0, help="guidance scale of the samples")
    chosen = options.parse_args()
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    if chosen.part != "table":
        chosen.judge = load_judge()
        work(chosen, results)
    asked = captions_of(chosen.each or 100, [Kind[name] for name in chosen.kinds])
    table({key: entry for key, entry in results.items() if key.split("/")[3] in asked})


if __name__ == "__main__":
    main()
