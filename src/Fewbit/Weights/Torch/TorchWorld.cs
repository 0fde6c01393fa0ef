using Fewbit.Data;
using Fewbit.Tensors;

namespace Fewbit.Weights.Torch;

/// <summary>The names that a PyTorch file of tensors may use. Every other name is an error that states it.</summary>
internal sealed class TorchWorld(string path) : IPickleWorld
{
    private const int MaxRank = 64;
    private static readonly Dictionary<string, ElementType> StorageTypes = new(StringComparer.Ordinal)
    {
        ["FloatStorage"] = ElementType.Float32, ["DoubleStorage"] = ElementType.Float64, ["HalfStorage"] = ElementType.Float16, ["BFloat16Storage"] = ElementType.BFloat16,
        ["LongStorage"] = ElementType.Int64, ["IntStorage"] = ElementType.Int32, ["ShortStorage"] = ElementType.Int16, ["CharStorage"] = ElementType.Int8,
        ["ByteStorage"] = ElementType.UInt8, ["BoolStorage"] = ElementType.Bool, ["ComplexFloatStorage"] = ElementType.Complex64, ["ComplexDoubleStorage"] = ElementType.Complex128,
        ["UntypedStorage"] = ElementType.UInt8,
    };

    private static readonly Dictionary<string, ElementType> Types = new(StringComparer.Ordinal)
    {
        ["float32"] = ElementType.Float32, ["float64"] = ElementType.Float64, ["float16"] = ElementType.Float16, ["bfloat16"] = ElementType.BFloat16,
        ["int64"] = ElementType.Int64, ["int32"] = ElementType.Int32, ["int16"] = ElementType.Int16, ["int8"] = ElementType.Int8,
        ["uint64"] = ElementType.UInt64, ["uint32"] = ElementType.UInt32, ["uint16"] = ElementType.UInt16, ["uint8"] = ElementType.UInt8, ["bool"] = ElementType.Bool,
        ["complex64"] = ElementType.Complex64, ["complex128"] = ElementType.Complex128, ["float8_e4m3fn"] = ElementType.Float8E4M3FN, ["float8_e5m2"] = ElementType.Float8E5M2,
        ["float8_e4m3fnuz"] = ElementType.Float8E4M3FNUZ, ["float8_e5m2fnuz"] = ElementType.Float8E5M2FNUZ, ["float8_e8m0fnu"] = ElementType.Float8E8M0,
    };

    private readonly Dictionary<string, TorchStorage> _storages = new(StringComparer.Ordinal);

    private enum Function
    {
        OrderedDict,
        RebuildTensor,
        RebuildTensorWithType,
        RebuildParameter,
        Size,
        Device,
    }

    /// <summary>The storages that tensors use, by key.</summary>
    public IReadOnlyDictionary<string, TorchStorage> Storages => _storages;

    public object Global(string module, string name) => (module, name) switch
    {
        ("collections", "OrderedDict") => Function.OrderedDict,
        ("torch._utils", "_rebuild_tensor" or "_rebuild_tensor_v2") => Function.RebuildTensor,
        ("torch._utils", "_rebuild_tensor_v3") => Function.RebuildTensorWithType,
        ("torch._utils", "_rebuild_parameter" or "_rebuild_parameter_with_state") => Function.RebuildParameter,
        ("torch", "Size") => Function.Size,
        ("torch", "device") => Function.Device,
        ("torch" or "torch.storage", _) when StorageTypes.TryGetValue(name, out ElementType type) => new TorchStorage(name, type, 0),
        ("torch", _) when Types.TryGetValue(name, out ElementType type) => type,
        _ => throw new InvalidDataException($"{path}: names {Printable.Of(module)}.{Printable.Of(name)}, which is no part of tensors by name; it was not executed. "
            + $"{(module.StartsWith("__torch__", StringComparison.Ordinal) ? "The file is a TorchScript program: save" : "Load the file where you trust it, and save")} model.state_dict() with torch.save"),
    };

    public object? Call(object? callable, PickleTuple arguments)
    {
        IReadOnlyList<object?> items = arguments.Items;
        switch (callable)
        {
            case Function.OrderedDict when items.Count == 0: return new PickleDict();
            case Function.OrderedDict when items.Count == 1 && items[0] is PickleList list: return Dictionary(list);
            case Function.RebuildTensor when items.Count >= 4 && items[0] is TorchStorage storage: return Tensor(storage, storage.Type, items);
            case Function.RebuildTensorWithType when items.Count >= 7 && items[0] is TorchStorage storage && items[6] is ElementType type: return Tensor(storage, type, items);
            case Function.RebuildParameter when items.Count >= 1 && items[0] is TorchTensor tensor: return tensor;
            case Function.Size when items.Count == 1 && items[0] is PickleTuple sizes: return sizes;
            case Function.Device when items.Count >= 1 && items[0] is string device: return device;
            default: throw new InvalidDataException($"{path}: calls {callable switch { Function function => function.ToString(), null => "None", _ => "what is no function" }} with {items.Count} arguments that are not those of PyTorch");
        }
    }

    /// <summary>('storage', type, key, location, number of elements), with (view key, offset, size) behind it in the older format.</summary>
    public object Persistent(object? id)
    {
        if (id is not PickleTuple { Items: [string kind, TorchStorage type, string key, _, long count, ..] items } || kind != "storage" || count < 0)
            throw new InvalidDataException($"{path}: has a persistent id that is no storage; it was not executed");
        if (items.Count > 5 && items[5] is not null) throw new InvalidDataException($"{path}: storage '{Printable.Of(key)}' is a view of another one, as PyTorch before 0.4 saved it; load and save the file with a newer one");
        if (!_storages.TryGetValue(key, out TorchStorage? storage)) _storages.Add(key, storage = new(key, type.Type, count));
        return storage.Type == type.Type && storage.Count == count ? storage
            : throw new InvalidDataException($"{path}: storage '{Printable.Of(key)}' is both {storage.Count} x {storage.Type.Name()} and {count} x {type.Type.Name()}");
    }

    private PickleDict Dictionary(PickleList list)
    {
        var dict = new PickleDict();
        foreach (object? item in list.Items)
        {
            (string key, object? value) = item switch
            {
                PickleTuple { Items: [string first, var second] } => (first, second),
                PickleList { Items: [string first, var second] } => (first, second),
                _ => throw new InvalidDataException($"{path}: has an OrderedDict of items that are no pairs of a text and a value"),
            };
            dict[key] = value;
        }
        return dict;
    }

    private TorchTensor Tensor(TorchStorage storage, ElementType type, IReadOnlyList<object?> items)
    {
        long[] sizes = Numbers(items[2]), strides = Numbers(items[3]);
        if (items[1] is not long offset || sizes.Length != strides.Length || sizes.Length > MaxRank)
            throw new InvalidDataException($"{path}: describes a tensor of storage '{Printable.Of(storage.Key)}' by an offset, sizes and strides that do not belong together");
        return new(storage, type, offset, sizes, strides);
    }

    private long[] Numbers(object? value) => value is PickleTuple tuple && tuple.Items.All(item => item is long) ? [.. tuple.Items.Cast<long>()]
        : throw new InvalidDataException($"{path}: describes a tensor by sizes or strides that are no whole numbers");
}
