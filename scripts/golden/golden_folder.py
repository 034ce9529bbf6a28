"""Shared helpers for small random models: weights that make every layer matter, and their folder.

Weights are rounded to half precision before the reference runs and stored as such: the files are half as large, and the
vectors are exactly those of the stored weights.
"""

import json
from importlib.metadata import version

import torch
from safetensors.torch import save_file


def randomize(model, seed, spread=0.2):
    """Initial weights are so small that layers hardly matter, and norms start as identities: larger weights, and
    statistics and scales away from 0 and 1, make every part of the network matter."""
    torch.manual_seed(seed)
    with torch.no_grad():
        for name, tensor in list(model.named_parameters()) + list(model.named_buffers()):
            if not tensor.is_floating_point():
                continue
            if name.endswith("running_var"):
                tensor.uniform_(0.5, 2.0)
            elif name.endswith("running_mean") or "bias" in name:
                tensor.normal_(0, 0.1)
            elif "norm" in name.lower() or ".bn" in name or tensor.dim() == 1:
                tensor.normal_(1, 0.2)
            else:
                tensor.normal_(0, spread)
            tensor.copy_(tensor.half().float())
    return model.eval()


def save_weights(tensors, path):
    save_file({name: t.detach().half().contiguous().clone() if t.is_floating_point() else t.clone() for name, t in tensors.items()}, path)


def rounded(vector, digits=6):
    return [round(float(x), digits) for x in vector]


def save_golden(folder, items, *packages):
    made = {name: version(name) for name in ("torch", *packages)}
    text = json.dumps({"made_with": made, "items": items}, ensure_ascii=False)
    (folder / "golden.json").write_text(text + "\n")
