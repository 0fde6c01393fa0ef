using System.Collections;
using System.Diagnostics.CodeAnalysis;
using Fewbit.Tensors;

namespace Fewbit.Graphs;

/// <summary>The attributes of a node by name. A value is a long, float, string, Tensor, Graph, or an array of one of these; the rule of a custom gradient too, which no file can hold.</summary>
[SuppressMessage("Naming", "CA1710", Justification = "The ONNX term is attributes.")]
public sealed class Attributes : IEnumerable<KeyValuePair<string, object>>
{
    private readonly SortedDictionary<string, object> _values = new(StringComparer.Ordinal);

    /// <summary>Number of attributes.</summary>
    public int Count => _values.Count;

    /// <summary>Adds an attribute (for collection initializers).</summary>
    /// <exception cref="ArgumentException">The name is taken, or no attribute holds such a value.</exception>
    public void Add(string name, object value) => _values.Add(name, Checked(name, value));

    /// <summary>Adds or replaces an attribute.</summary>
    /// <exception cref="ArgumentException">No attribute holds such a value.</exception>
    public void Set(string name, object value) => _values[name] = Checked(name, value);

    /// <summary>Removes an attribute; false where there is none.</summary>
    public bool Remove(string name) => _values.Remove(name);

    /// <summary>True where the attribute is there.</summary>
    public bool Contains(string name) => _values.ContainsKey(name);

    /// <summary>The attribute's value; null where there is none.</summary>
    public object? Find(string name) => _values.GetValueOrDefault(name);

    /// <inheritdoc/>
    public IEnumerator<KeyValuePair<string, object>> GetEnumerator() => _values.GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    /// <summary>The attributes in the order of their names, subgraphs cloned by <paramref name="cloneGraph"/>.</summary>
    internal Attributes Clone(Func<Graph, Graph> cloneGraph)
    {
        var copy = new Attributes();
        foreach ((string name, object value) in _values)
        {
            copy.Add(name, value switch
            {
                Graph graph => cloneGraph(graph),
                Graph[] graphs => Array.ConvertAll(graphs, graph => cloneGraph(graph)),
                _ => value,
            });
        }
        return copy;
    }

    private static object Checked(string name, object value) => value switch
    {
        long or float or string or Tensor or Graph or long[] or float[] or string[] or Tensor[] or Graph[] or CustomGradientRule => value,
        int number => (long)number,
        bool flag => flag ? 1L : 0L,
        _ => throw new ArgumentException($"attribute '{name}' cannot hold a {value?.GetType().Name ?? "null"}", nameof(value)),
    };
}
