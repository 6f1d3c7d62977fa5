"""The judge: a small classifier of pictures of the procedural world, trained on the truth.

It says what a picture shows, from which side, in which colour and in which arrangement. Its world has a seed of its
own, so it has seen no object of a prior's training, and no estimator is ever guided by it. `docs/judge.md` has its
accuracy.
"""
