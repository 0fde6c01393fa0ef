using System.Globalization;
using System.Numerics;
using Fewbit.Data;
using Fewbit.Data.Arrays;
using Fewbit.Tensors;

namespace Fewbit.Weights.Torch;

/// <summary>PyTorch's files before 1.6: pickles of a magic number, a version, the machine, the value, and the storages' keys, then for each key its length and elements.</summary>
internal static class TorchLegacy
{
    private const long Version = 1001;
    private static readonly BigInteger Magic = BigInteger.Parse("1950a86a20f9469cfc6c", NumberStyles.HexNumber, CultureInfo.InvariantCulture);

    public static IReadOnlyDictionary<string, Tensor> Read(string path, long maxBytes)
    {
        using FileStream file = File.OpenRead(path);
        var reader = new PickleReader(file, path);
        var world = new TorchWorld(path);
        var machine = new PickleMachine(reader, world);
        if (machine.Run() is not BigInteger magic || magic != Magic) throw new InvalidDataException($"{path}: is a pickle, but not one of PyTorch's torch.save");
        if (machine.Run() is not Version) throw new InvalidDataException($"{path}: is of another version of PyTorch's older format than {Version}");
        if (machine.Run() is not PickleDict machineInfo || machineInfo["little_endian"] is not true) throw new InvalidDataException($"{path}: was not saved on a little-endian machine; load and save it there in the newer format");
        object? root = machine.Run();
        if (machine.Run() is not PickleList keys) throw new InvalidDataException($"{path}: has no list of storages");
        foreach (object? item in keys.Items)
        {
            if (item is not string key || !world.Storages.TryGetValue(key, out TorchStorage? storage) || storage.Elements is not null)
                throw new InvalidDataException($"{path}: lists a storage '{Printable.Of(Convert.ToString(item, CultureInfo.InvariantCulture) ?? "None")}' that no tensor uses, or lists it twice");
            ReadStorage(storage, file, reader, path, ref maxBytes);
        }
        return StateDict.From(root, path, maxBytes);
    }

    private static void ReadStorage(TorchStorage storage, FileStream file, PickleReader reader, string path, ref long maxBytes)
    {
        string name = $"{path}: storage '{Printable.Of(storage.Key)}'";
        long count = reader.Int64(), left = file.Length - file.Position, size = storage.Type.BitWidth() / 8;
        if (count != storage.Count || count > left / size) throw new InvalidDataException($"{name} is {storage.Count} x {storage.Type.Name()}, the file has {count} of which {left} bytes are there; is it truncated?");
        maxBytes -= count * size;
        if (maxBytes < 0) throw new InvalidDataException($"{name}: the file's tensors need more bytes than the limit WeightFileOptions.MaxBytes");
        storage.Elements = ArrayBytes.Read(file, storage.Type, [storage.Count], bigEndian: false);
    }
}
