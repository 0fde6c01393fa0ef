using Fewbit.Graphs.Operators;
using Fewbit.Tensors;
using Fewbit.Tensors.Kernels;

namespace Fewbit.Graphs.Passes;

/// <summary>Conv, the Add of a residual after it, and a Relu, Clip or LeakyRelu after that become one ai.fewbit FusedConv.</summary>
/// <remarks>For running only: a FusedConv has no gradient rule, and no other runtime knows it.</remarks>
public sealed class FuseActivation : IPass
{
    /// <inheritdoc/>
    public string Name => "fuse convolution and activation";

    /// <summary>Whether 3x3 convolutions may use Winograd's transform, whose sums differ by about 5e-6 of the largest; every Conv becomes a FusedConv then.</summary>
    public bool AllowsWinograd { get; init; }

    /// <inheritdoc/>
    public PassReport Run(Graph graph)
    {
        var report = new PassReport(Name);
        // From the back, so that of two convolutions that are added the later one takes the sum over.
        foreach (Node conv in graph.Nodes.Where(node => node.Is("Conv")).Reverse().ToArray()) Fuse(conv, report);
        graph.RemoveUnusedValues();
        return report;
    }

    private void Fuse(Node conv, PassReport report)
    {
        if (conv.Outputs[0].Type != ElementType.Float32) return;
        Value? residual = null;
        List<Node> taken = [conv];
        if (taken[^1].OnlyReader() is { } add && add.Is("Add") && ResidualOf(add, conv.Outputs[0]) is { } other)
        {
            taken.Add(add);
            residual = other;
        }
        Activation activation = Activation.None;
        while (taken[^1].OnlyReader() is { } reader && ActivationOf(reader) is { } found && Joined(activation, found) is { } joint)
        {
            taken.Add(reader);
            activation = joint;
        }
        if (taken.Count == 1 && !AllowsWinograd) return;
        report.Change(conv, taken.Count == 1 ? "may be transformed" : $"takes over {string.Join(" and ", taken.Skip(1).Select(node => node.OpType))}");
        Replace(taken, residual, activation);
    }

    private void Replace(List<Node> taken, Value? residual, Activation activation)
    {
        (Node conv, Graph graph) = (taken[0], taken[0].Graph);
        var attributes = new Attributes();
        foreach ((string name, object value) in conv.Attributes) attributes.Add(name, value);
        FusedActivation.Write(activation, attributes);
        if (AllowsWinograd) attributes.Set("winograd", 1);
        Value output = taken[^1].Outputs[0];
        // The residual may be computed after the convolution: the fused node stands where the last one stood.
        int index = graph.IndexOf(taken[^1]) - (taken.Count - 1);
        Value?[] inputs = residual is null ? [conv.Inputs[0], conv.Inputs[1], conv.Input(2)] : [conv.Inputs[0], conv.Inputs[1], conv.Input(2), residual];
        foreach (Node node in taken) graph.Remove(node);
        graph.InsertNode(index, OperatorTable.FewbitDomain, "FusedConv", conv.Name, inputs, [output], attributes);
    }

    /// <summary>The other operand of an Add, where it has the shape of the result.</summary>
    internal static Value? ResidualOf(Node add, Value convolved)
    {
        if (add.Inputs[0] is not { } a || add.Inputs[1] is not { } b || a == b) return null;
        Value other = a == convolved ? b : a;
        return other.Shape is { } shape && shape.Equals(convolved.Shape) && !shape.Contains(Dim.Unknown) && other.Type == convolved.Type ? other : null;
    }

    /// <summary>One activation for two in a row (Relu and Clip, in a file that states ReLU6 as both); null where there is none.</summary>
    private static Activation? Joined(Activation first, Activation second)
    {
        if (first.Kind == ActivationKind.None) return second;
        if (Bounds(first) is not { } a || Bounds(second) is not { } b || b.Low > b.High) return null;
        return Activation.Clip(Math.Clamp(a.Low, b.Low, b.High), Math.Clamp(a.High, b.Low, b.High));
    }

    private static (float Low, float High)? Bounds(Activation activation) => activation.Kind switch
    {
        ActivationKind.Relu => (0, float.PositiveInfinity),
        ActivationKind.Clip when activation.Low <= activation.High => (activation.Low, activation.High),
        _ => null,
    };

    internal static Activation? ActivationOf(Node node)
    {
        if (node.Is("Relu")) return Activation.Relu;
        if (node.Is("LeakyRelu")) return Activation.LeakyRelu(node.Float("alpha", 0.01f));
        if (!node.Is("Clip")) return null;
        float low = node.Float("min", float.NegativeInfinity), high = node.Float("max", float.PositiveInfinity);
        return Bound(node, 1, ref low) && Bound(node, 2, ref high) ? Activation.Clip(low, high) : null;
    }

    private static bool Bound(Node clip, int index, ref float bound)
    {
        if (clip.Input(index) is not { } value) return true;
        if (value is not { IsConstant: true, Type: ElementType.Float32 }) return false;
        bound = value.Constant!.Item<float>();
        return true;
    }
}
