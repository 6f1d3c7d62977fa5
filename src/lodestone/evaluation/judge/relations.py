"""When an arrangement is right.

The world has one arrangement for several words: "a and b" puts b at the right, which is also what "a to the left of b"
does, and "beside" means either side. The judge gives each word its share, so its first answer alone would be unfair.

    on                            right if on is more likely than all others together
    and, beside                   right if it is not: beside each other in any direction
    left, right, front, behind    right if it is not on, and the likeliest of these four
"""

import torch
from jaxtyping import Float
from torch import Tensor

from lodestone.data.worlds.captions import Relation
from lodestone.evaluation.judge.network import RELATIONS

__all__ = ["relation_is_right"]

ON = RELATIONS.index(Relation.ON)
LOOSE = (Relation.AND, Relation.BESIDE)
DIRECTIONS = tuple(RELATIONS.index(each) for each in RELATIONS if each not in (*LOOSE, Relation.ON))


def relation_is_right(relations: Float[Tensor, "v relations"], asked: Relation) -> Float[Tensor, " v"]:
    """1 where the arrangement is the one that was asked for, 0 elsewhere; of log probabilities or their means."""
    others = [index for index in range(len(RELATIONS)) if index != ON]
    on = relations[:, ON] > relations[:, others].logsumexp(dim=-1)
    if asked is Relation.ON:
        return on.float()
    if asked in LOOSE:
        return (~on).float()
    likeliest = torch.tensor(DIRECTIONS)[relations[:, list(DIRECTIONS)].argmax(dim=-1)]
    return (~on & (likeliest == RELATIONS.index(asked))).float()
