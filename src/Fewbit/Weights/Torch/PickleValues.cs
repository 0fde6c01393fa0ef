namespace Fewbit.Weights.Torch;

/// <summary>A Python tuple.</summary>
internal sealed record PickleTuple(IReadOnlyList<object?> Items);

/// <summary>A Python list.</summary>
internal sealed record PickleList(List<object?> Items);

/// <summary>A Python dict or OrderedDict: pairs in their order, a later value of a key in the place of the earlier.</summary>
internal sealed class PickleDict
{
    private readonly Dictionary<string, int> _places = new(StringComparer.Ordinal);
    private readonly List<(string Key, object? Value)> _pairs = [];

    public IReadOnlyList<(string Key, object? Value)> Pairs => _pairs;

    public object? this[string key]
    {
        get => _places.TryGetValue(key, out int place) ? _pairs[place].Value : null;
        set
        {
            if (_places.TryGetValue(key, out int place)) _pairs[place] = (key, value);
            else
            {
                _places.Add(key, _pairs.Count);
                _pairs.Add((key, value));
            }
        }
    }
}

/// <summary>What the names and calls of a pickle mean; what it does not know it refuses.</summary>
internal interface IPickleWorld
{
    /// <summary>The value of module.name.</summary>
    object Global(string module, string name);

    /// <summary>The result of calling a value that <see cref="Global"/> gave.</summary>
    object? Call(object? callable, PickleTuple arguments);

    /// <summary>The value of a persistent id.</summary>
    object Persistent(object? id);
}
