"""Character language models on one text in PyTorch: the peers of `fewbit train` with the same recipes.

python3 characters.py transformer|lstm TEXT --seed 1 [--iterations 2000] [--threads 1]

TEXT is a file of characters; the last tenth validates. The Transformer is the CPU example of nanoGPT (4 layers, 4 heads, width 128, block 64, batch 12, tied, no biases, no dropout);
the LSTM has 2 layers of width 200, untied, windows of 100 characters that start from a zero state, batch 32.
Prints one JSON line with the loss on the whole validation part, in windows that do not overlap.
"""
import argparse
import json
import math
import time

import torch
import torch.nn as nn
import torch.nn.functional as F


class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.qkv, self.proj, self.heads = nn.Linear(width, 3 * width, bias=False), nn.Linear(width, width, bias=False), heads

    def forward(self, x):
        batch, steps, width = x.shape
        q, k, v = (part.view(batch, steps, self.heads, -1).transpose(1, 2) for part in self.qkv(x).split(width, 2))
        scores = q @ k.transpose(2, 3) / math.sqrt(width // self.heads)
        scores = scores.masked_fill(torch.ones(steps, steps, dtype=torch.bool).triu(1), float("-inf"))
        return self.proj((scores.softmax(-1) @ v).transpose(1, 2).reshape(batch, steps, width))


class Norm(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x):
        return F.layer_norm(x, self.weight.shape, self.weight, None, 1e-5)


class Layer(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.norm1, self.attn, self.norm2 = Norm(width), Attention(width, heads), Norm(width)
        self.fc1, self.proj = nn.Linear(width, 4 * width, bias=False), nn.Linear(4 * width, width, bias=False)

    def forward(self, x):
        x = x + self.attn(self.norm1(x))
        return x + self.proj(F.gelu(self.fc1(self.norm2(x))))


class Transformer(nn.Module):
    def __init__(self, vocabulary, block=64, layers=4, heads=4, width=128):
        super().__init__()
        self.wte, self.wpe = nn.Embedding(vocabulary, width), nn.Embedding(block, width)
        self.layers, self.norm = nn.Sequential(*(Layer(width, heads) for _ in range(layers))), Norm(width)
        for name, parameter in self.named_parameters():
            if parameter.dim() > 1:
                nn.init.normal_(parameter, std=0.02 / math.sqrt(2 * layers) if name.endswith("proj.weight") else 0.02)

    def forward(self, ids):
        x = self.wte(ids) + self.wpe.weight[:ids.shape[1]]
        return self.norm(self.layers(x)) @ self.wte.weight.t()


class Lstm(nn.Module):
    def __init__(self, vocabulary, width=200):
        super().__init__()
        self.encoder, self.rnn, self.decoder = nn.Embedding(vocabulary, width), nn.LSTM(width, width, 2, batch_first=True), nn.Linear(width, vocabulary)
        nn.init.normal_(self.decoder.weight, std=math.sqrt(2 / width))
        nn.init.zeros_(self.decoder.bias)

    def forward(self, ids):
        return self.decoder(self.rnn(self.encoder(ids))[0])


def loss_on(model, ids, block):
    count, total, seen = (len(ids) - 1) // block, 0.0, 0
    with torch.no_grad():
        for start in range(0, count, 64):
            rows = range(start, min(count, start + 64))
            x = torch.stack([ids[row * block:row * block + block] for row in rows])
            y = torch.stack([ids[row * block + 1:row * block + block + 1] for row in rows])
            total += F.cross_entropy(model(x).flatten(0, 1), y.flatten(), reduction="sum").item()
            seen += y.numel()
    return total / seen


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=["transformer", "lstm"])
    parser.add_argument("text")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--iterations", type=int, default=2000)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    text = open(options.text, encoding="utf-8").read()
    characters = sorted(set(text))
    ids = torch.tensor([characters.index(c) for c in text])
    train, validation = ids[:int(0.9 * len(ids))], ids[int(0.9 * len(ids)):]
    is_lstm = options.kind == "lstm"
    block, batch = (100, 32) if is_lstm else (64, 12)
    if is_lstm:
        model = Lstm(len(characters))
        optimizer = torch.optim.Adam(model.parameters(), 2e-3)
    else:
        model = Transformer(len(characters))
        matrices, vectors = [p for p in model.parameters() if p.dim() > 1], [p for p in model.parameters() if p.dim() < 2]
        optimizer = torch.optim.AdamW([{"params": matrices, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0}], 1e-3, (0.9, 0.99))
    rate, least, warm = (2e-3, 0.0, 0) if is_lstm else (1e-3, 1e-4, 100)
    start = time.time()
    for step in range(options.iterations):
        now = rate * step / warm if step < warm else least + (rate - least) * (1 + math.cos(math.pi * (step - warm) / (options.iterations - warm))) / 2
        for group in optimizer.param_groups:
            group["lr"] = now
        at = torch.randint(len(train) - block, (batch,))
        x, y = torch.stack([train[i:i + block] for i in at]), torch.stack([train[i + 1:i + 1 + block] for i in at])
        loss = F.cross_entropy(model(x).flatten(0, 1), y.flatten())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    print(json.dumps({"kind": options.kind, "seed": options.seed, "loss": loss_on(model, validation, block), "seconds": round(time.time() - start, 1)}), flush=True)


if __name__ == "__main__":
    main()
