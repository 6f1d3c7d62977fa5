"""The exact priors: scores against derivatives of the density, mixtures against Monte Carlo, mirrors against copies."""

import torch

from lodestone.data.emoji import composite, load_emoji
from lodestone.priors.analytic import GaussianMixture, component_conditioning
from lodestone.priors.empirical import CaptionSupport, empirical_denoiser, undress
from lodestone.priors.noise import NoiseSchedule
from lodestone.priors.sampling import sample
from lodestone.prompts.conditioning import ConditioningSet

SCHEDULE = NoiseSchedule.scaled_linear()


def mixture(components=3, mirrored=False):
    rng = torch.Generator().manual_seed(1)
    means = torch.randn(components, 2, 3, 3, generator=rng, dtype=torch.float64)
    variances = torch.linspace(0.2, 0.5, components, dtype=torch.float64)
    return GaussianMixture(means, variances, SCHEDULE, mirrored=mirrored)


def test_noise_is_minus_sigma_times_the_gradient_of_the_log_density():
    """eps = -sigma grad log p_t, the derivative taken by autograd of the density itself."""
    denoiser = mixture()
    conditioning = component_conditioning(torch.tensor([[0.2, 0.3, 0.5]])).expand(4)
    x = torch.randn(4, 2, 3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(2), requires_grad=True)
    t = torch.tensor([10, 200, 600, 990])
    density = denoiser.log_density(x, t, conditioning).sum()
    score = torch.autograd.grad(density, x)[0]
    sigma = SCHEDULE.sigma(t).double()[:, None, None, None]
    torch.testing.assert_close(denoiser(x, t, conditioning).noise, -sigma * score)


def test_clean_prediction_is_the_posterior_mean():
    """E[x | x_t] by self-normalized importance sampling with 200,000 draws; tolerance 4 standard errors."""
    denoiser, count = mixture(), 200_000
    rng = torch.Generator().manual_seed(3)
    component = torch.randint(3, (count,), generator=rng)
    spread = denoiser.variances.sqrt()[component, None]
    draws = denoiser.means[component] + spread * torch.randn(count, 18, generator=rng, dtype=torch.float64)
    t = torch.tensor([500])
    alpha, sigma = SCHEDULE.alpha(t).double(), SCHEDULE.sigma(t).double()
    x = torch.randn(1, 18, generator=rng, dtype=torch.float64)
    weights = torch.softmax(-(x - alpha * draws).square().sum(1) / (2 * sigma**2), 0)
    estimate = weights @ draws
    error = ((weights[:, None] * (draws - estimate)) ** 2).sum(0).sqrt()
    exact = denoiser(x.view(1, 2, 3, 3), t, component_conditioning(torch.ones(1, 3))).clean.flatten()
    assert ((estimate - exact).abs() < 4 * error).all()


def test_mirrored_components_equal_stored_copies():
    short = mixture(mirrored=True)
    means = short.means.view(3, 2, 3, 3)
    full = GaussianMixture(torch.cat([means, means.flip(-1)]), short.variances, SCHEDULE)
    conditioning = component_conditioning(torch.rand(5, 6, generator=torch.Generator().manual_seed(0)))
    x = torch.randn(5, 2, 3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(4))
    t = torch.tensor([0, 100, 300, 700, 999])
    torch.testing.assert_close(short(x, t, conditioning).noise, full(x, t, conditioning).noise)
    torch.testing.assert_close(short.log_density(x, t, conditioning), full.log_density(x, t, conditioning))


def test_excluded_components_have_no_say():
    three, one = mixture(), GaussianMixture(mixture().means[1:2].view(1, 2, 3, 3), 0.35, SCHEDULE)
    x, t = torch.randn(2, 2, 3, 3, dtype=torch.float64), torch.tensor([300, 700])
    only = three(x, t, component_conditioning(torch.tensor([[0.0, 1.0, 0.0]])).expand(2)).clean
    alone = one(x, t, component_conditioning(torch.ones(1, 1)).expand(2)).clean
    torch.testing.assert_close(only, alone)


def test_ddim_samples_of_a_gaussian_have_its_moments():
    """1,000 deterministic samples: mean within 5 standard errors, variance within 10 %."""
    denoiser = GaussianMixture(torch.full((1, 1, 1, 1), 0.7), 0.09, SCHEDULE)
    only = component_conditioning(torch.ones(1, 1)).expand(1_000)
    conditioning = ConditioningSet(positive=only, null=only)
    rng = torch.Generator().manual_seed(0)
    x = sample(denoiser, conditioning, steps=300, guidance_scale=1.0, rng=rng)
    assert abs(float(x.mean()) - 0.7) < 5 * 0.3 / 1_000**0.5
    assert abs(float(x.var()) / 0.09 - 1) < 0.1


def test_empirical_prior_returns_the_picture_that_was_noised():
    emoji = load_emoji()
    pictures = composite(emoji.rgba[:40], torch.ones(40, 3))
    denoiser = empirical_denoiser(pictures)
    clean = 2 * pictures[7:8] - 1
    t = torch.tensor([300])
    noisy = SCHEDULE.add_noise(clean, torch.randn(clean.shape, generator=torch.Generator().manual_seed(0)), t)
    found = denoiser(noisy, t, component_conditioning(torch.ones(1, 80))).clean
    assert (found - clean).abs().mean() < 0.05


def test_prompts_are_undressed():
    assert undress("A DSLR photo of a hamburger, back view") == "hamburger"
    assert undress("a high quality picture of an apple, 3D asset") == "apple"
    assert undress("teapot") == "teapot"
    assert undress("a front door") == "front door"


def test_support_of_a_name_is_its_picture_and_mirror_and_of_nothing_is_everything():
    emoji = load_emoji()
    encoder = CaptionSupport(emoji)
    logits = encoder.encode(["a hamburger", ""]).tokens[:, 0]
    index = emoji.names.index("hamburger")
    assert (logits[0] > -1).nonzero()[:, 0].tolist() == [index, index + len(emoji)]
    assert (logits[1] > -1).all()


def test_support_of_free_text_is_few_captions_near_it():
    emoji = load_emoji()
    logits = CaptionSupport(emoji).encode(["a juicy beef burger with cheese"]).tokens[0, 0]
    kept = [emoji.names[i] for i in (logits[: len(emoji)] > -1).nonzero()[:, 0]]
    assert 1 <= len(kept) <= 3 and "hamburger" in kept


def test_what_a_prompt_excludes_stays_excluded_at_the_least_noise():
    """A clean picture of a teapot, under the prompt "hamburger", is a hamburger and no teapot."""
    emoji = load_emoji()
    denoiser = empirical_denoiser(composite(emoji.rgba, torch.ones(len(emoji), 3)))
    teapot, hamburger = (emoji.names.index(name) for name in ("teapot", "hamburger"))
    told = CaptionSupport(emoji).encode(["hamburger"])
    picture = denoiser.means[teapot].view(1, 3, 64, 64)
    share = denoiser.responsibilities(picture, torch.tensor([0]), told)
    assert float(share[0, [hamburger, len(emoji) + hamburger]].sum()) > 0.999
