namespace Fewbit.Graphs.Passes;

/// <summary>Gelu and Swish that are written out in nodes become one node each: x / 2 * (1 + erf(x / √2)), the same with tanh, x * sigmoid(alpha * x).</summary>
/// <remarks>For running only: a file keeps the nodes that its opset has.</remarks>
public sealed class FuseGelu : IPass
{
    private static readonly double Outer = Math.Sqrt(2 / Math.PI);

    /// <inheritdoc/>
    public string Name => "fuse Gelu and Swish";

    /// <inheritdoc/>
    public PassReport Run(Graph graph)
    {
        var report = new PassReport(Name);
        foreach (Node node in graph.Nodes.Where(node => node.Is("Mul") && node.Outputs[0].Type == Tensors.ElementType.Float32).ToArray())
        {
            if (Swish(node) is { } swish) Replace(node, swish.X, "Swish", new() { { "alpha", swish.Alpha } }, report);
            else if (Gelu(node) is { } gelu) Replace(node, gelu.X, "Gelu", new() { { "approximate", gelu.IsTanh ? "tanh" : "none" } }, report);
        }
        return report;
    }

    private static void Replace(Node last, Value x, string opType, Attributes attributes, PassReport report)
    {
        report.Change(last, $"becomes {opType} with the nodes before it");
        Patterns.ReplaceLast(last, "", opType, [x], attributes);
    }

    private static (Value X, float Alpha)? Swish(Node product)
    {
        foreach (int side in (int[])[0, 1])
        {
            if (product.Inputs[side].From("Sigmoid")?.Inputs[0] is not { } inner || product.Inputs[1 - side] is not { } x) continue;
            if (inner == x) return (x, 1);
            if (inner.From("Mul").WithScalar() is ({ } scaled, float alpha) && scaled == x) return (x, alpha);
        }
        return null;
    }

    /// <summary>The product of x, 1/2 and a gate 1 + g(x), in any order of the two multiplications.</summary>
    private static (Value X, bool IsTanh)? Gelu(Node last)
    {
        if (last.WithScalar() is ({ } pair, 0.5f)) return pair.From("Mul") is { } inner ? Gated(inner.Inputs[0]!, inner.Inputs[1]!) : null;
        foreach (int side in (int[])[0, 1])
        {
            if (last.Inputs[side].From("Mul").WithScalar() is not ({ } one, 0.5f)) continue;
            if (Gated(one, last.Inputs[1 - side]!) is { } found) return found;
        }
        return null;
    }

    private static (Value X, bool IsTanh)? Gated(Value a, Value b) => IsGate(b, a) is { } second ? (a, second) : IsGate(a, b) is { } first ? (b, first) : null;

    /// <summary>Whether the value is 1 + g(x): false for erf, true for tanh, null for something else.</summary>
    private static bool? IsGate(Value value, Value x)
    {
        if (value.From("Add").WithScalar() is not ({ } g, 1f)) return null;
        if (g.From("Erf")?.Inputs[0].Scaled() is ({ } scaled, float factor)) return scaled == x && Math.Abs(factor - Math.Sqrt(0.5)) < 1e-6 ? false : null;
        return g.From("Tanh")?.Inputs[0].Scaled() is ({ } inner, float outer) && Math.Abs(outer - Outer) < 1e-6 && IsCubic(inner, x) ? true : null;
    }

    /// <summary>x + 0.044715 x³.</summary>
    private static bool IsCubic(Value value, Value x)
    {
        if (value.From("Add") is not { } sum || (sum.Inputs[0] != x && sum.Inputs[1] != x)) return false;
        return sum.Other(x).From("Mul").WithScalar() is ({ } cube, float factor) && Math.Abs(factor - 0.044715) < 1e-7 && IsCube(cube, x);
    }

    private static bool IsCube(Value value, Value x)
    {
        if (value.From("Pow") is { } power) return power.Inputs[0] == x && power.Inputs[1].IsScalar(3);
        return value.From("Mul") is { } product && (product.Inputs[0] == x || product.Inputs[1] == x) && product.Other(x).From("Mul") is { } square && square.Inputs[0] == x && square.Inputs[1] == x;
    }
}
