"""What an estimator costs beyond its denoiser calls.

    python benchmarks/estimator_overhead.py [--prior embedded] [--batch 4] [--rounds 15]

For every estimator, a step's gradient is timed side by side with plain denoiser calls of the same batch, in turn. The
ratio is (median time of a gradient) / (denoiser calls x median time of one call); the aim is at most 1.10. A training
call of what is learned on the side (forward and backward through the denoiser) is given in units of one call. Below 1
the batched call is cheaper than single ones.
"""

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path
from statistics import median

import torch

from lodestone.distillation.slots import AbstractAdaptiveEstimator
from lodestone.distillation.step_settings import StepSettings
from lodestone.priors.choose import open_prior
from lodestone.prompts.prompt import EncodedPrompt, PromptSettings
from lodestone.recipes.estimators import estimators
from lodestone.storage import write_text

RESULTS = Path(__file__).parent / "results" / "estimator_overhead.json"
STEP = StepSettings(step=60, steps=100, window=(300, 700))


def problem(prior, batch):
    """A batch of latents with everything that any estimator asks for."""
    settings = PromptSettings(text="a hamburger", negative="blurry", view_dependent=False)
    encoded = EncodedPrompt.encode(settings, prior.text_encoder)
    first = torch.zeros(batch).long()
    latents = torch.randn(batch, *prior.denoiser.latent_shape, generator=torch.Generator().manual_seed(0))
    positive = encoded.directions.take(first)
    known = replace(
        encoded.conditioning(),
        positive=positive,
        null=encoded.null.expand(batch),
        negative=encoded.negative.expand(batch),
        source=encoded.null.expand(batch),
        source_latents=0.9 * latents,
        cameras=torch.eye(4).flatten().expand(batch, 16),
    )
    return latents, known


def seconds(function):
    began = time.perf_counter()
    result = function()
    return time.perf_counter() - began, result


def measure(prior, estimator, batch, rounds):
    """Denoiser calls, ratio, and the training call in units of one call."""
    latents, known = problem(prior, batch)
    rng = torch.Generator().manual_seed(0)
    known = replace(known, noise_memory=estimator.noising.memory(prior.denoiser.latent_shape, rng))
    adaptive = isinstance(estimator, AbstractAdaptiveEstimator)
    if adaptive:
        slot = estimator.slot(known, prior.denoiser, rng)
        known = slot.fill(known)
    t = torch.full((batch,), 500)
    times = {"call": [], "gradient": [], "training": []}
    for _ in range(rounds):
        with torch.no_grad():
            times["call"].append(seconds(lambda: prior.denoiser(latents, t, known.positive))[0])
        spent, score = seconds(lambda: estimator.gradient(prior.denoiser, latents, known, STEP, rng))
        times["gradient"].append(spent / score.denoiser_calls)
        if adaptive:
            times["training"].append(
                seconds(lambda: estimator.auxiliary_loss(prior.denoiser, latents, slot.fill(known), rng).backward())[0]
            )
    call = median(times["call"])
    training = round(median(times["training"]) / call, 2) if adaptive else None
    return {"calls": score.denoiser_calls, "ratio": round(median(times["gradient"]) / call, 3), "training": training}


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--prior", default="embedded")
    options.add_argument("--batch", type=int, default=4)
    options.add_argument("--rounds", type=int, default=15)
    chosen = options.parse_args()
    prior = open_prior(chosen.prior, device=torch.device("cpu"))
    results = {}
    print("| estimator | denoiser calls | time / (calls x one call) | training call |\n|---|---|---|---|")
    for name, estimator in estimators(chosen.prior).items():
        results[name] = measured = measure(prior, estimator, chosen.batch, chosen.rounds)
        print(f"| {name} | {measured['calls']} | {measured['ratio']:.2f} | {measured['training'] or ''} |", flush=True)
    write_text(RESULTS, json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
