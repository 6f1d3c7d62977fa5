"""Frozen denoisers behind one interface: noisy latents, time and conditioning in; noise, clean and velocity out."""
