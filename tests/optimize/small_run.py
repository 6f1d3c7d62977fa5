"""A problem that is solved in seconds: three 16 x 16 pictures, their exact score, and some hundred Gaussians."""

import signal
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from lodestone.distillation.bsd import BootstrappedScoreDistillation
from lodestone.distillation.lods import LearnedNullEmbedding, LearnedNullLora
from lodestone.distillation.sds import ScoreDistillation
from lodestone.distillation.vsd import VariationalScoreDistillation
from lodestone.optimize.experiment import Experiment, Plan
from lodestone.optimize.journal import Journal
from lodestone.optimize.loop import optimize
from lodestone.optimize.run_folder import RunFolder
from lodestone.optimize.state import OptimizationState, load_state, new_state
from lodestone.priors.analytic import GaussianMixture, component_conditioning
from lodestone.priors.autoencoder import SpaceToDepth
from lodestone.priors.denoiser import Prior
from lodestone.priors.noise import NoiseSchedule
from lodestone.prompts.prompt import EncodedPrompt, PromptSettings
from lodestone.prompts.text_encoder import AbstractTextEncoder
from lodestone.rendering.background import White
from lodestone.rendering.cameras import OrbitSampler
from lodestone.scenes.density_control import DensityControl
from lodestone.scenes.gaussian_settings import GaussianLearningRates, GaussianSettings
from lodestone.scenes.initialize import BallInitialization
from lodestone.storage import load_tensors

SIDE = 16
NAMES = ("red ball", "green ball", "blue ball")
METHODS = {
    "sds": ScoreDistillation(guidance_scale=3.0),
    "lods": LearnedNullEmbedding(guidance_scale=7.5, learning_rate=1e-2),
    "lods lora": LearnedNullLora(guidance_scale=7.5, learning_rate=1e-3),
    "vsd": VariationalScoreDistillation(learning_rate=1e-3),
    "bsd": BootstrappedScoreDistillation(learning_rate=1e-3, augmentation_steps=2),
}


def pictures():
    """A disc of each colour on white."""
    axis = torch.linspace(-1, 1, SIDE)
    disc = (axis[:, None].square() + axis.square() < 0.4).float()
    return torch.stack([1 - disc * (1 - color[:, None, None]) for color in torch.eye(3)])


class Names(AbstractTextEncoder):
    """Each name is its picture; the empty text is all of them."""

    def encode(self, texts):
        rows = [[float(not text or text == name) for name in NAMES] for text in texts]
        return component_conditioning(torch.tensor(rows))


def small_prior(denoiser=None):
    exact = GaussianMixture(2 * pictures() - 1, 0.1**2, NoiseSchedule.scaled_linear())
    return Prior(
        name="discs",
        denoiser=exact if denoiser is None else denoiser,
        autoencoder=SpaceToDepth(1),
        text_encoder=Names(),
        image_size=SIDE,
    )


def small_experiment(method="sds", steps=12, **changes):
    """Density control acts after steps 4, 6, 8 and 10, a checkpoint is written after every fifth step."""
    plan = Plan(steps=steps, views=2, background=White(), preview_every=0, checkpoint_every=5)
    density = DensityControl(every=2, start=3, stop=11, grow_share=0.1, split_scale=0.03)
    rates = GaussianLearningRates(log_scales=2e-2, opacity_logits=1e-1, colors=5e-2)
    scene = GaussianSettings(initialization=BallInitialization(count=150), density=density, learning_rates=rates)
    orbit = OrbitSampler(elevation=(0.0, 20.0), distance=(2.0, 2.0), field_of_view=(40.0, 40.0))
    whole = Experiment(
        prompt=PromptSettings(text="green ball", view_dependent=False),
        estimator=METHODS[method],
        scene=scene,
        cameras=orbit,
        plan=plan,
    )
    return replace(whole, **changes)


class InterruptedJournal(Journal):
    """Presses Ctrl-C while a step ends."""

    def __init__(self, *arguments, at, **settings):
        super().__init__(*arguments, **settings)
        self.at = at

    def record(self, record, rendering, state):
        super().record(record, rendering, state)
        if state.step == self.at:
            signal.raise_signal(signal.SIGINT)


@dataclass
class Run:
    """One experiment, one folder, and the state that it has reached."""

    experiment: Experiment
    folder: RunFolder
    prior: Prior
    state: OptimizationState

    @classmethod
    def new(cls, path: Path, experiment, prior=None):
        prior = prior or small_prior()
        path.mkdir(parents=True, exist_ok=True)
        state = new_state(experiment, encoded(experiment).conditioning(), prior.denoiser, experiment.scene.create)
        return cls(experiment, RunFolder(path), prior, state)

    @classmethod
    def resumed(cls, path: Path, experiment):
        folder, prior = RunFolder(path), small_prior()
        state = load_state(folder.last_checkpoint, experiment, encoded(experiment).conditioning(), prior.denoiser)
        return cls(experiment, folder, prior, state)

    def go(self, interrupt_after=None):
        """Optimizes, writes the last checkpoint as `lodestone.runs` does, and says whether the plan is done."""
        plan = self.experiment.plan
        settings = {"steps": plan.steps, "first": self.state.step, "preview_every": plan.preview_every}
        journal = InterruptedJournal(
            self.folder, **settings, checkpoint_every=plan.checkpoint_every, quiet=True, at=interrupt_after
        )
        with journal:
            done = optimize(self.experiment, self.prior, encoded(self.experiment), self.state, journal)
            journal.checkpoint(self.state)
        return done

    def tensors(self):
        """Everything in the newest checkpoint."""
        return load_tensors(self.folder.last_checkpoint)[0]


def encoded(experiment):
    return EncodedPrompt.encode(experiment.prompt, Names())
