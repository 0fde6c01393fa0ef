"""Times a training step of PyTorch on the CPU: forward, backward and SGD with momentum.

Usage: training_step.py NETWORK THREADS. For each line that comes in, runs for that many seconds (at least one step)
after a step that is not counted, and prints the milliseconds of a step.
"""
import math
import sys
import time

import torch
import torch.nn as nn
import torch.nn.functional as F


class BasicBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut without parameters (option A)."""

    def __init__(self, planes, width, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(planes, width, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.added = (width - planes) // 2

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        if self.added:
            x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.added, self.added))
        return F.relu(y + x)


class CifarResNet(nn.Module):
    def __init__(self, blocks=3, classes=10):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        layers, planes = [], 16
        for stage in range(3):
            for block in range(blocks):
                layers.append(BasicBlock(planes, 16 << stage, 2 if stage and not block else 1))
                planes = 16 << stage
        self.layers = nn.Sequential(*layers)
        self.linear = nn.Linear(64, classes)

    def forward(self, x):
        x = self.layers(F.relu(self.bn1(self.conv1(x))))
        return self.linear(x.mean((2, 3)))


class LstmModel(nn.Module):
    def __init__(self, width=650, vocabulary=10000):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width)
        self.lstm = nn.LSTM(width, width, 2)
        self.decoder = nn.Linear(width, vocabulary)

    def forward(self, ids):  # [T, N]
        return self.decoder(self.lstm(self.embedding(ids))[0])


class TransformerBlock(nn.Module):
    """Layer norms in front of attention and of a GELU feed-forward part of four times the width."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.ln1, self.ln2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.fc1, self.fc2 = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x, mask):
        n, t, c = x.shape
        q, k, v = (part.view(n, t, self.heads, c // self.heads).transpose(1, 2) for part in self.qkv(self.ln1(x)).split(c, dim=2))
        scores = (q @ k.transpose(-2, -1)) * (1 / math.sqrt(c // self.heads)) + mask
        x = x + self.proj((F.softmax(scores, dim=-1) @ v).transpose(1, 2).reshape(n, t, c))
        return x + self.fc2(F.gelu(self.fc1(self.ln2(x))))


class TransformerModel(nn.Module):
    def __init__(self, layers=6, width=256, heads=4, tokens=128, vocabulary=1000):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width)
        self.positions = nn.Parameter(torch.zeros(tokens, width))
        self.blocks = nn.ModuleList([TransformerBlock(width, heads) for _ in range(layers)])
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, vocabulary)
        self.register_buffer("mask", torch.full((tokens, tokens), -math.inf).triu(1))

    def forward(self, ids):  # [N, T]
        x = self.embedding(ids) + self.positions
        for block in self.blocks:
            x = block(x, self.mask)
        return self.head(self.norm(x))


def pictures(model, batch, side, classes):
    return model, torch.randn(batch, 3, side, side), torch.randint(classes, (batch,))


def tokens(model, first, second, vocabulary):
    return model, torch.randint(vocabulary, (first, second)), torch.randint(vocabulary, (first * second,))


def create(name):
    if name.startswith("resnet20"):  # resnet20 or resnet20:BATCH
        return pictures(CifarResNet(), int(name.partition(":")[2] or 128), 32, 10)
    if name == "lstm":
        return tokens(LstmModel(), 35, 20, 10000)
    if name == "transformer":
        return tokens(TransformerModel(), 32, 128, 1000)
    import torchvision.models as zoo
    return pictures({"resnet18": zoo.resnet18, "mobilenetv2": zoo.mobilenet_v2}[name](), 8, 224, 1000)


def main():
    torch.set_num_threads(int(sys.argv[2]))
    torch.manual_seed(1)
    model, x, target = create(sys.argv[1])
    for module in model.modules():
        if isinstance(module, nn.Dropout):  # torchvision's classifier drops; ours does not
            module.p = 0.0
    model.train()
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9, weight_decay=1e-4)

    def step():
        optimizer.zero_grad(set_to_none=True)
        scores = model(x)
        F.cross_entropy(scores.reshape(-1, scores.shape[-1]), target).backward()
        optimizer.step()

    print(torch.__version__, flush=True)
    for line in sys.stdin:
        step()
        start, steps = time.perf_counter(), 0
        while steps == 0 or time.perf_counter() - start < float(line):
            step()
            steps += 1
        print(1000 * (time.perf_counter() - start) / steps, flush=True)


if __name__ == "__main__":
    main()
