"""Training steps of a character model from given weights and batches, to compare losses with.

step_parity.py transformer|lstm FILE: FILE is a safetensors file with the weights under Fewbit's names, and inputs and targets [steps, batch, block].
AdamW (rate 1e-3, betas 0.9 and 0.99, decay 0.1 on all but vectors), gradients clipped to norm 1. Prints the loss of each step.
"""
import json
import math
import struct
import sys

import torch
import torch.nn.functional as F

TYPES = {"F32": torch.float32, "I64": torch.int64}


def read(path):
    data = open(path, "rb").read()
    length = struct.unpack("<Q", data[:8])[0]
    tensors = {}
    for name, entry in json.loads(data[8:8 + length]).items():
        if name != "__metadata__":
            first, end = (8 + length + offset for offset in entry["data_offsets"])
            tensors[name] = torch.frombuffer(bytearray(data[first:end]), dtype=TYPES[entry["dtype"]]).reshape(entry["shape"])
    return tensors


def transformer(p, ids, heads=4):
    steps = ids.shape[1]
    hidden = torch.ones(steps, steps, dtype=torch.bool).triu(1)

    def dense(x, name):
        return x @ p[name + ".weight"] + p[name + ".bias"]

    def norm(x, name):
        return F.layer_norm(x, x.shape[-1:], p[name + ".weight"], p[name + ".bias"])

    x = p["wte.weight"][ids] + p["wpe.weight"]
    for layer in range(sum(name.endswith(".attn.qkv.weight") for name in p)):
        block = f"blocks.{layer}"
        n, t, c = x.shape
        q, k, v = (part.view(n, t, heads, -1).transpose(1, 2) for part in dense(norm(x, block + ".norm1"), block + ".attn.qkv").split(c, 2))
        scores = (q @ k.transpose(2, 3) / math.sqrt(c // heads)).masked_fill(hidden, -math.inf)
        x = x + dense((scores.softmax(-1) @ v).transpose(1, 2).reshape(n, t, c), block + ".attn.proj")
        x = x + dense(F.gelu(dense(norm(x, block + ".norm2"), block + ".mlp.fc1")), block + ".mlp.fc2")
    return dense(norm(x, "norm"), "head")


def lstm(p, ids):
    x = p["encoder.weight"][ids].transpose(0, 1)
    for layer in range(2):
        w, r, b = (p[f"rnn.{layer}.{name}"][0] for name in ("weight_ih", "weight_hh", "bias"))
        width = r.shape[1]
        h = c = torch.zeros(x.shape[1], width)
        rows = []
        for t in range(x.shape[0]):
            i, o, f, g = (x[t] @ w.t() + h @ r.t() + b[:4 * width] + b[4 * width:]).split(width, 1)  # ONNX's order
            c = f.sigmoid() * c + i.sigmoid() * g.tanh()
            h = o.sigmoid() * c.tanh()
            rows.append(h)
        x = torch.stack(rows)
    return x.transpose(0, 1) @ p["decoder.weight"].t() + p["decoder.bias"]


def main():
    torch.set_num_threads(1)
    tensors = read(sys.argv[2])
    inputs, targets = tensors.pop("inputs"), tensors.pop("targets")
    network = {"transformer": transformer, "lstm": lstm}[sys.argv[1]]
    learned = {name: tensor.requires_grad_() for name, tensor in tensors.items() if tensor.dim() > 0 and not name.startswith("mask")}
    matrices, vectors = [p for p in learned.values() if p.dim() > 1], [p for p in learned.values() if p.dim() < 2]
    optimizer = torch.optim.AdamW([{"params": matrices, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0}], 1e-3, (0.9, 0.99))
    for x, y in zip(inputs, targets):
        loss = F.cross_entropy(network(learned, x).flatten(0, 1), y.flatten())
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(list(learned.values()), 1.0)
        optimizer.step()
        print(loss.item(), flush=True)


main()
