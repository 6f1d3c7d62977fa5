"""Training of the embedded prior: a small text-conditioned pixel-space diffusion model.

The network predicts the clean picture from `x_t = alpha_t x + sigma_t eps` and minimises

    E_{x, y, c, t, eps}  min(1 / sigma_t^2, 5) || D(x_t, t, y, c) - x ||^2

(clean prediction with a clamped signal-to-noise weight, after Hang et al. 2023, arXiv 2303.09556) over a mixture of
captioned pictures: the emoji, whose cameras nobody knows, and views of the procedural world with their cameras c. A
share of the captions is dropped, so that the same network is the unconditional model (Ho & Salimans 2022, arXiv
2207.12598). Before it, a draft network learns the mean picture of each caption and camera (`lodestone.prompts.draft`),
which the denoiser is shown.

`docs/training.md` says how to train, and what the folder of a training holds.
"""
