"""Writes the files in Fixtures/ with PyTorch 1.13: python3 make_fixtures.py. The tests know the numbers in them."""
import collections
import os
import pickle
import torch

folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "Fixtures")


def save(name, value, **options):
    torch.save(value, os.path.join(folder, name), **options)


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(1, 2, 3, bias=False)
        self.bn = torch.nn.BatchNorm2d(2)


class Attack:
    def __reduce__(self):
        return os.system, ("echo executed > executed",)


def numbers(*shape, dtype=torch.float32):
    count = 1
    for length in shape:
        count *= length
    return torch.arange(count).reshape(shape).to(dtype)


net = Net()
with torch.no_grad():
    net.conv.weight.copy_(numbers(2, 1, 3, 3))
    net.bn.running_mean.copy_(torch.tensor([0.5, -0.5]))

types = {str(dtype).removeprefix("torch."): numbers(3, dtype=dtype) for dtype in
         (torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool, torch.complex64, torch.complex128)}
base = numbers(4, 6)
views = collections.OrderedDict(
    whole=base, transposed=base.t(), row=base[2], column=base[:, 1], window=base[1:3, 2:5], stepped=base[::2, ::3], scalar=base[3, 5], empty=base[:0],
    tied=base, parameter=torch.nn.Parameter(base[1]))
checkpoint = {"epoch": 3, "best": 91.25, "arch": "net", "flags": (True, None), "state_dict": collections.OrderedDict((f"module.{name}", tensor) for name, tensor in net.state_dict().items()),
              "optimizer": {"state": {0: {"momentum_buffer": numbers(2)}}, "param_groups": [{"lr": 0.1, "params": [0]}]}}
nested = {"encoder": {"layers": [numbers(2), numbers(3)], "steps": 7}, "decoder": {"weight": numbers(1, 2)}}

for suffix, zipped in (("zip", True), ("legacy", False)):
    save(f"state_dict_{suffix}.pth", net.state_dict(), _use_new_zipfile_serialization=zipped)
    save(f"types_{suffix}.pt", types, _use_new_zipfile_serialization=zipped)
    save(f"views_{suffix}.th", views, _use_new_zipfile_serialization=zipped)
    save(f"checkpoint_{suffix}.pth", checkpoint, _use_new_zipfile_serialization=zipped)
    save(f"attack_{suffix}.pt", {"weight": numbers(2), "x": Attack()}, _use_new_zipfile_serialization=zipped)
save("model.pt", net)
save("nested_protocol4.pt", nested, pickle_protocol=4)
save("tensor.pt", numbers(2, 2))
save("expanded.pt", {"mask": numbers(1).expand(1000, 1000)})
with open(os.path.join(folder, "plain.pickle"), "wb") as file:
    pickle.dump({"a": 1}, file, protocol=2)
