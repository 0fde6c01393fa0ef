using Fewbit.Tensors;

namespace Fewbit.Graphs.Passes;

/// <summary>A normalization of the last dimension that is written out in nodes becomes LayerNormalization, or RMSNormalization where no mean is taken off.</summary>
/// <remarks>
/// d = x - ReduceMean(x), then d / Sqrt(ReduceMean(d²) + epsilon) * scale + bias; for the other x in the place of d and no bias.
/// The square may be Pow or Mul, the quotient Div or Mul with Reciprocal or with 1 / Sqrt. For running only: a file keeps the nodes that its opset has.
/// </remarks>
public sealed class FuseNormalization : IPass
{
    /// <inheritdoc/>
    public string Name => "fuse normalization";

    /// <inheritdoc/>
    public PassReport Run(Graph graph)
    {
        var report = new PassReport(Name);
        foreach (Node node in graph.Nodes.Where(node => node.Is("Mul")).ToArray())
        {
            if (Match(node) is { } found) Replace(found, report);
        }
        return report;
    }

    private sealed record Group(Node Last, Value X, Value Scale, Value? Bias, float Epsilon, bool IsCentred);

    private static Group? Match(Node multiply)
    {
        foreach (int side in (int[])[0, 1])
        {
            if (multiply.Inputs[side] is not { } normalized || multiply.Inputs[1 - side] is not { } scale) continue;
            if (Quotient(normalized) is not ({ } d, { } deviation) || Epsilon(deviation, d) is not { } epsilon) continue;
            if (d.Type != ElementType.Float32 || d.Shape is not { Rank: > 0 } shape || !IsParameter(scale, shape)) continue;
            if (Centred(d) is not { } x) return new(multiply, d, scale, null, epsilon, false);
            if (multiply.OnlyReader() is { } add && add.Is("Add") && add.Other(multiply.Outputs[0]) is { } bias && IsParameter(bias, shape)) return new(add, x, scale, bias, epsilon, true);
            return new(multiply, x, scale, null, epsilon, true);
        }
        return null;
    }

    /// <summary>d and the deviation that it is divided by.</summary>
    private static (Value? D, Value? Deviation) Quotient(Value normalized)
    {
        if (normalized.From("Div") is { } quotient) return (quotient.Inputs[0], quotient.Inputs[1]);
        if (normalized.From("Mul") is not { } product) return default;
        foreach (int side in (int[])[0, 1])
        {
            if (product.Inputs[side].From("Reciprocal") is { } reciprocal) return (product.Inputs[1 - side], reciprocal.Inputs[0]);
            if (product.Inputs[side].From("Div") is { } inverse && inverse.Inputs[0].IsScalar(1)) return (product.Inputs[1 - side], inverse.Inputs[1]);
        }
        return default;
    }

    /// <summary>Epsilon, where the deviation is Sqrt(ReduceMean(d²) + epsilon).</summary>
    private static float? Epsilon(Value deviation, Value d)
    {
        if (deviation.From("Sqrt")?.Inputs[0].From("Add").WithScalar() is not ({ } variance, float epsilon)) return null;
        if (MeanOf(variance, d.Shape?.Rank) is not { } square) return null;
        bool isSquare = square.From("Pow") is { } power ? power.Inputs[0] == d && power.Inputs[1].IsScalar(2) : square.From("Mul") is { } product && product.Inputs[0] == d && product.Inputs[1] == d;
        return isSquare && epsilon >= 0 ? epsilon : null;
    }

    /// <summary>x, where d is x - ReduceMean(x).</summary>
    private static Value? Centred(Value d) =>
        d.From("Sub") is { } difference && difference.Inputs[0] is { } x && MeanOf(difference.Inputs[1], x.Shape?.Rank) == x ? x : null;

    /// <summary>What a mean over the last dimension, which is kept, is the mean of.</summary>
    private static Value? MeanOf(Value? mean, int? rank)
    {
        if (mean.From("ReduceMean") is not { } node || node.Int("keepdims", 1) == 0 || node.ConstantInts("axes", 1) is not [long axis]) return null;
        return axis == -1 || axis + 1 == rank ? node.Inputs[0] : null;
    }

    /// <summary>A vector as long as the last dimension.</summary>
    private static bool IsParameter(Value value, SymbolicShape shape) =>
        value.Type == ElementType.Float32 && value.Shape is { Rank: 1 } own && own[0] == shape.Dims[^1] && own[0] != Dim.Unknown;

    private static void Replace(Group group, PassReport report)
    {
        string opType = group.IsCentred ? "LayerNormalization" : "RMSNormalization";
        report.Change(group.Last, $"becomes {opType} with the nodes before it");
        Value?[] inputs = group.Bias is null ? [group.X, group.Scale] : [group.X, group.Scale, group.Bias];
        Patterns.ReplaceLast(group.Last, "", opType, inputs, new() { { "axis", -1 }, { "epsilon", group.Epsilon } });
    }
}
