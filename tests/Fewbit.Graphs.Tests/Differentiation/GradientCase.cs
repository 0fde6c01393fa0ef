using Fewbit.Tensors;

namespace Fewbit.Graphs.Tests.Differentiation;

/// <summary>A node at a point where its gradients are compared with finite differences.</summary>
/// <param name="OpType">The operator.</param>
/// <param name="Inputs">Float64 tensors are learned, others are constants; null where an input is left out.</param>
internal sealed record GradientCase(string OpType, params object?[] Inputs)
{
    /// <summary>What is special about the case.</summary>
    public string Note { get; init; } = "";

    public string Domain { get; init; } = "";

    public Attributes Attributes { get; init; } = [];

    public int Outputs { get; init; } = 1;

    public int Opset { get; init; } = 21;

    /// <summary>1 where the gradient itself is no function that differences could follow.</summary>
    public int Order { get; init; } = 2;

    /// <summary>Lengths of the output where only a run tells them.</summary>
    public long[]? Lengths { get; init; }

    public string Name => $"{(Domain.Length == 0 ? "" : Domain + ".")}{OpType}{(Note.Length == 0 ? "" : $" ({Note})")}";

    public Tensor[] Learned => [.. Inputs.OfType<Tensor>().Where(tensor => tensor.Type == ElementType.Float64)];

    /// <summary>Adds the node to the graph of the learned inputs, and returns a function of its float outputs that is not linear: what is linear in x would have no second derivative.</summary>
    public Value[] Build(Value[] learned)
    {
        Graph graph = learned[0].Graph;
        int next = 0;
        Value?[] inputs = [.. Inputs.Select(input => input switch
        {
            Tensor { Type: ElementType.Float64 } => learned[next++],
            Tensor tensor => graph.AddConstant("c", tensor),
            Fixed point => graph.AddConstant("c", point.Tensor),
            _ => null,
        })];
        Node node = graph.InsertNode(graph.Nodes.Count, Domain, OpType, inputs, Attributes, Outputs);
        Value[] outputs = [.. node.Outputs.Where(output => output.Type.IsFloat()).Select(output => Lengths is null ? output : output.Reshape(Lengths))];
        return [.. outputs.Select(y => y * (y * 0.5f + 1f))];
    }
}

/// <summary>A float64 input that is not learned.</summary>
internal sealed record Fixed(Tensor Tensor);
