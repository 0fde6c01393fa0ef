using System.Globalization;
using Fewbit.Data;
using Fewbit.Tensors;

namespace Fewbit.Weights.Torch;

/// <summary>Tensors by name out of nested dicts and lists: names of nested ones are joined with dots; what is no tensor is left out.</summary>
internal sealed class StateDict
{
    private const string ParallelPrefix = "module.";
    private const int MaxDepth = 32, MaxValues = 1_000_000;
    private static readonly string[] WeightKeys = ["state_dict", "model_state_dict", "model", "net"];
    private readonly Dictionary<string, Tensor> _tensors = new(StringComparer.Ordinal);
    private readonly Dictionary<TorchTensor, Tensor> _dense = new(ReferenceEqualityComparer.Instance);
    private readonly string _path;
    private long _budget;
    private int _values;

    private StateDict(string path, long budget) => (_path, _budget) = (path, budget);

    /// <param name="root">The value of the pickle.</param>
    /// <param name="path">The file, for messages.</param>
    /// <param name="budget">Bytes that copies of tensors may take.</param>
    public static IReadOnlyDictionary<string, Tensor> From(object? root, string path, long budget)
    {
        var state = new StateDict(path, budget);
        state.Add(Weights(root), "", 0);
        if (state._tensors.Count == 0) throw new InvalidDataException($"{path}: holds no tensors; save model.state_dict() with torch.save");
        return state._tensors.Keys.All(name => name.Length > ParallelPrefix.Length && name.StartsWith(ParallelPrefix, StringComparison.Ordinal))
            ? state._tensors.ToDictionary(pair => pair.Key[ParallelPrefix.Length..], pair => pair.Value, StringComparer.Ordinal) : state._tensors;
    }

    /// <summary>The part of a checkpoint that is the model's weights; all of it where no usual key leads to them.</summary>
    private static object? Weights(object? root) => root is PickleDict dict && !dict.Pairs.Any(pair => pair.Value is TorchTensor)
        ? WeightKeys.Select(key => dict[key]).FirstOrDefault(value => value is PickleDict) ?? root : root;

    private void Add(object? value, string name, int depth)
    {
        if (depth > MaxDepth || ++_values > MaxValues) throw new InvalidDataException($"{_path}: nests its values deeper than {MaxDepth}, or has more than {MaxValues} of them");
        switch (value)
        {
            case TorchTensor tensor: AddTensor(tensor, name.Length == 0 ? "tensor" : name); break;
            case PickleDict dict:
                foreach ((string key, object? item) in dict.Pairs) Add(item, Join(name, key), depth + 1);
                break;
            case PickleList { Items: var items }: AddItems(items, name, depth); break;
            case PickleTuple { Items: var items }: AddItems(items, name, depth); break;
        }
    }

    private void AddItems(IReadOnlyList<object?> items, string name, int depth)
    {
        for (int i = 0; i < items.Count; i++) Add(items[i], Join(name, i.ToString(CultureInfo.InvariantCulture)), depth + 1);
    }

    private void AddTensor(TorchTensor tensor, string name)
    {
        string where = $"{_path}: tensor '{Printable.Of(name)}'";
        if (!_dense.TryGetValue(tensor, out Tensor? dense)) _dense.Add(tensor, dense = tensor.ToDense(where, ref _budget));
        if (!_tensors.TryAdd(name, dense)) throw new InvalidDataException($"{where}: the name is there twice");
    }

    private static string Join(string name, string key) => name.Length == 0 ? key : $"{name}.{key}";
}
