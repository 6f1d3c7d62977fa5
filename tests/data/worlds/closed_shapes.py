"""What several tests of the world ask of a shape."""

import torch


def check_closed(shape):
    """Every edge is passed once in each direction."""
    a, b, c = shape.faces.unbind(dim=1)
    ends = torch.cat([torch.stack(pair, -1) for pair in ((a, b), (b, c), (c, a))])
    count = len(shape.vertices)
    there, back = (ends[:, 0] * count + ends[:, 1]).sort()[0], (ends[:, 1] * count + ends[:, 0]).sort()[0]
    assert torch.equal(there, back)
    assert bool((there[1:] > there[:-1]).all())
    assert bool(((a != b) & (b != c) & (c != a)).all())
    assert bool(shape.vertices.isfinite().all())
    assert shape.volume > 0
