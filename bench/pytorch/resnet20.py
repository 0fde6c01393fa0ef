"""ResNet-20 on CIFAR-10 in PyTorch: the peer of `fewbit train resnet20` with the same recipe.

python3 resnet20.py TRAIN TEST --seed 1 [--epochs 20] [--threads 1]

TRAIN is a pack of JPEG records (label, little-endian length, bytes), TEST a file of 3073-byte records.
Prints one JSON line for each epoch and the final accuracy.
"""
import argparse
import io
import json
import struct
import time

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from PIL import Image

MEAN = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
STD = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)


def read_jpeg_pack(path):
    data, at, pictures, labels = open(path, "rb").read(), 0, [], []
    while at < len(data):
        label, length = struct.unpack_from("<BH", data, at)
        at += 3
        pictures.append(np.asarray(Image.open(io.BytesIO(data[at:at + length])).convert("RGB")).transpose(2, 0, 1))
        labels.append(label)
        at += length
    return torch.from_numpy(np.stack(pictures)), torch.tensor(labels)


def read_records(path):
    data = np.fromfile(path, np.uint8).reshape(-1, 3073)
    return torch.from_numpy(data[:, 1:].reshape(-1, 3, 32, 32)), torch.from_numpy(data[:, 0].astype(np.int64))


def normalize(pictures):
    return (pictures.float() / 255 - MEAN) / STD


class Block(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.stride, self.extra = stride, outputs - inputs

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        if self.stride > 1:
            x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.extra // 2, self.extra // 2))
        return F.relu(y + x)


class ResNet20(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        blocks, width = [], 16
        for stage, outputs in enumerate([16, 32, 64]):
            for block in range(3):
                blocks.append(Block(width, outputs, 2 if stage and block == 0 else 1))
                width = outputs
        self.blocks = nn.Sequential(*blocks)
        self.linear = nn.Linear(64, 10)
        for module in self.modules():
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                nn.init.kaiming_normal_(module.weight)

    def forward(self, x):
        return self.linear(self.blocks(F.relu(self.bn1(self.conv1(x)))).mean((2, 3)))


def augment(pictures):
    count = len(pictures)
    padded = F.pad(pictures, (4, 4, 4, 4))
    rows = torch.randint(0, 9, (count, 1)) + torch.arange(32)
    columns = torch.randint(0, 9, (count, 1)) + torch.arange(32)
    flipped = torch.rand(count) < 0.5
    columns[flipped] = columns[flipped].flip(1)
    index = torch.arange(count)
    return padded[index[:, None, None, None], torch.arange(3)[None, :, None, None], rows[:, None, :, None], columns[:, None, None, :]]


def accuracy(model, pictures, labels):
    model.eval()
    with torch.no_grad():
        hits = sum((model(pictures[i:i + 500]).argmax(1) == labels[i:i + 500]).sum().item() for i in range(0, len(labels), 500))
    model.train()
    return 100 * hits / len(labels)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("train")
    parser.add_argument("test")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    train, labels = read_jpeg_pack(options.train)
    train = normalize(train)
    test, test_labels = read_records(options.test)
    test = normalize(test)
    model = ResNet20()
    optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9, weight_decay=1e-4)
    steps = len(train) // 128
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, options.epochs * steps)
    start = time.time()
    for epoch in range(options.epochs):
        order, total = torch.randperm(len(train)), 0.0
        for step in range(steps):
            index = order[step * 128:step * 128 + 128]
            loss = F.cross_entropy(model(augment(train[index])), labels[index])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item()
        print(json.dumps({"epoch": epoch + 1, "loss": round(total / steps, 4), "seconds": round(time.time() - start, 1)}), flush=True)
    print(json.dumps({"seed": options.seed, "top1": accuracy(model, test, test_labels)}), flush=True)


if __name__ == "__main__":
    main()
