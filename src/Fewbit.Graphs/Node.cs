using System.Runtime.CompilerServices;
using Fewbit.Graphs.Operators;
using Fewbit.Tensors;

namespace Fewbit.Graphs;

/// <summary>One operator call: inputs, outputs, attributes.</summary>
public sealed class Node
{
    private readonly List<Value?> _inputs;
    private readonly List<Value> _outputs;
    private IOperator? _operator;
    private InputList? _readable;

    internal Node(Graph graph, string domain, string opType, string name, IEnumerable<Value?> inputs, IEnumerable<Value> outputs, Attributes attributes)
    {
        (Graph, Domain, OpType, Name, Attributes) = (graph, domain, opType, name, attributes);
        _inputs = [.. inputs];
        _outputs = [.. outputs];
        for (int i = 0; i < _inputs.Count; i++) _inputs[i]?.AddUse(new(this, i));
        foreach (Value output in _outputs) output.Producer = this;
    }

    /// <summary>The graph that owns the node.</summary>
    public Graph Graph { get; }

    /// <summary>Empty for the standard ONNX operators.</summary>
    public string Domain { get; }

    /// <summary>Operator type: Conv, Relu.</summary>
    public string OpType { get; }

    /// <summary>Unique within the graph.</summary>
    public string Name { get; internal set; }

    /// <summary>The attributes. After a change call <see cref="Invalidate"/>.</summary>
    public Attributes Attributes { get; }

    /// <summary>The values read; null where an optional input is left out, and beyond the last, so that a pass may ask before a node is checked.</summary>
    public IReadOnlyList<Value?> Inputs => _readable ??= new(_inputs);

    /// <summary>The values computed. An output that nothing reads may have an empty name in a file; here every one has a name.</summary>
    public IReadOnlyList<Value> Outputs => _outputs;

    /// <summary>The node, in the form of messages, whose gradient this one helps to compute; null for others.</summary>
    internal string? GradientOf
    {
        get => _outputs.Select(output => output.GradientOf).FirstOrDefault(forward => forward is not null);
        set
        {
            foreach (Value output in _outputs) output.GradientOf = value;
        }
    }

    /// <summary>What the file says of the node beyond this: the reader of the format leaves it here for the writer.</summary>
    internal object? Origin { get; set; }

    /// <summary>The operator with its attributes parsed for the opset of the graph.</summary>
    /// <exception cref="InvalidDataException">No such operator is known, or an attribute is wrong.</exception>
    public IOperator Operator => _operator ??= OperatorTable.Parse(this);

    /// <summary>True where the operator is known to this engine.</summary>
    public bool IsSupported => OperatorTable.Contains(this);

    /// <summary>The opset version of the node's domain.</summary>
    public int OpsetVersion => Graph.OpsetVersion(Domain);

    /// <summary>True for a standard ONNX operator of this type.</summary>
    public bool Is(string opType) => Domain.Length == 0 && OpType == opType;

    /// <summary>Input <paramref name="index"/>; null where it is left out or beyond the last.</summary>
    public Value? Input(int index) => index < _inputs.Count ? _inputs[index] : null;

    /// <summary>Forgets the parsed operator, after an attribute changed.</summary>
    public void Invalidate() => _operator = null;

    /// <summary>Replaces input <paramref name="index"/>, adding left-out inputs before it where needed.</summary>
    public void SetInput(int index, Value? value)
    {
        while (_inputs.Count <= index) _inputs.Add(null);
        _inputs[index]?.RemoveUse(new(this, index));
        _inputs[index] = value;
        value?.AddUse(new(this, index));
    }

    /// <summary>Reads an integer attribute.</summary>
    public long Int(string name, long? fallback = null) => Attribute(name, fallback);

    /// <summary>Reads a real attribute.</summary>
    public float Float(string name, float? fallback = null) => Attribute(name, fallback);

    /// <summary>Reads a text attribute.</summary>
    public string String(string name, string? fallback = null) => Attribute<string>(name) ?? fallback ?? throw Missing(name);

    /// <summary>Reads an attribute of several integers; null where it is left out.</summary>
    public long[]? Ints(string name) => Attribute<long[]>(name);

    /// <summary>Reads an attribute of several real numbers; null where it is left out.</summary>
    public float[]? Floats(string name) => Attribute<float[]>(name);

    /// <summary>Reads a subgraph attribute.</summary>
    public Graph Subgraph(string name) => Attribute<Graph>(name) ?? throw Missing(name);

    /// <summary>Reads an attribute of a reference type; null where it is left out.</summary>
    public T? Attribute<T>(string name) where T : class
    {
        object? value = Attributes.Find(name);
        // An empty list carries no type in a file.
        if (value is not null and not T && value is Array { Length: 0 } && typeof(T).IsArray) return (T)(object)Array.CreateInstance(typeof(T).GetElementType()!, 0);
        return value is null or T ? (T?)value : throw Fail($"attribute '{name}' is {Describe(value)}, expected {typeof(T).Name}");
    }

    /// <summary>The axis, counted from the front, of an attribute or input that may count from the back.</summary>
    public int Axis(long axis, int rank, string name = "axis")
    {
        Expect(rank > 0, $"{name} is {axis}, but a scalar has no axis");
        Expect(axis >= -rank && axis < rank, $"{name} is {axis}, expected a value in [{-rank}, {rank - 1}]");
        return (int)(axis < 0 ? axis + rank : axis);
    }

    /// <summary>Throws with the node's type and name in front unless the condition holds. The message is formatted only then.</summary>
    /// <exception cref="InvalidDataException">The condition does not hold.</exception>
    public void Expect(bool condition, [InterpolatedStringHandlerArgument("", nameof(condition))] ref ExpectHandler message)
    {
        if (!condition) throw Fail(message.ToString());
    }

    /// <summary>An error about this node: Conv 'layer1/conv': message.</summary>
    public InvalidDataException Fail(string message, Exception? inner = null) => new($"{this}: {message}", inner);

    /// <summary>The form of messages: Conv 'layer1/conv'.</summary>
    public override string ToString() => $"{(Domain.Length == 0 ? "" : Domain + ".")}{OpType} '{Name}'";

    internal void Detach()
    {
        for (int i = 0; i < _inputs.Count; i++) SetInput(i, null);
        foreach (Value output in _outputs)
        {
            if (output.Producer == this) output.Producer = null;
        }
    }

    internal void AddOutput(Value value)
    {
        _outputs.Add(value);
        value.Producer = this;
    }

    internal void ReplaceOutputAt(int index, Value value)
    {
        if (_outputs[index].Producer == this) _outputs[index].Producer = null;
        _outputs[index] = value;
        value.Producer = this;
    }

    private sealed class InputList(List<Value?> inputs) : IReadOnlyList<Value?>
    {
        public int Count => inputs.Count;

        public Value? this[int index] => index < inputs.Count ? inputs[index] : null;

        public IEnumerator<Value?> GetEnumerator() => inputs.GetEnumerator();

        System.Collections.IEnumerator System.Collections.IEnumerable.GetEnumerator() => inputs.GetEnumerator();
    }

    private T Attribute<T>(string name, T? fallback) where T : struct => Attributes.Find(name) switch
    {
        null => fallback ?? throw Missing(name),
        T value => value,
        var other => throw Fail($"attribute '{name}' is {Describe(other)}, expected {(typeof(T) == typeof(long) ? "an integer" : "a real number")}"),
    };

    private InvalidDataException Missing(string name) => Fail($"has no attribute '{name}'");

    private static string Describe(object value) => value switch
    {
        long number => $"the integer {number}",
        float number => $"the real number {number}",
        string text => $"the text '{text}'",
        Tensor tensor => $"a tensor {tensor}",
        Array array => $"{array.Length} values of {array.GetType().GetElementType()!.Name}",
        _ => $"a {value.GetType().Name}",
    };
}

/// <summary>Formats the message of <see cref="Node.Expect"/> only where the condition does not hold.</summary>
[InterpolatedStringHandler]
public ref struct ExpectHandler
{
    private DefaultInterpolatedStringHandler _text;

    /// <summary>Called by the compiler.</summary>
    public ExpectHandler(int literalLength, int formattedCount, Node node, bool condition, out bool isEnabled)
    {
        _ = node;
        isEnabled = !condition;
        _text = isEnabled ? new(literalLength, formattedCount, System.Globalization.CultureInfo.InvariantCulture) : default;
    }

    /// <summary>Called by the compiler.</summary>
    public void AppendLiteral(string text) => _text.AppendLiteral(text);

    /// <summary>Called by the compiler.</summary>
    public void AppendFormatted<T>(T value) => _text.AppendFormatted(value);

    /// <summary>Called by the compiler.</summary>
    public void AppendFormatted<T>(T value, string? format) => _text.AppendFormatted(value, format);

    /// <summary>The formatted message.</summary>
    public override string ToString() => _text.ToStringAndClear();
}
