using Fewbit.Graphs;
using Fewbit.Tensors;

namespace Fewbit.Models;

/// <summary>Layers with weights as methods of a value. Weights start at zero: <see cref="WeightInitialization"/> fills them.</summary>
/// <remarks>Constants are named as PyTorch names them: <c>layer1.0.conv1.weight</c>, <c>layer1.0.bn1.running_mean</c>.</remarks>
public static class Layers
{
    /// <summary>Convolution of a picture [N, C, H, W] without bias; padded so that stride 1 keeps the size.</summary>
    /// <param name="x">The picture.</param>
    /// <param name="name">Name of the layer.</param>
    /// <param name="channels">Output channels.</param>
    /// <param name="kernel">Height and width of the kernel.</param>
    /// <param name="stride">Step of the kernel in both directions.</param>
    /// <param name="groups">Groups of channels; as many as channels make it depthwise.</param>
    public static Value Conv(this Value x, string name, int channels, int kernel, int stride = 1, int groups = 1) =>
        x.Graph.AddNode("Conv", [x, x.Weight(name + ".weight", channels, Length(x, 1) / groups, kernel, kernel)], Window(kernel, stride, kernel / 2, groups), name: name).Outputs[0];

    /// <summary>Convolution of disjoint patches, with bias: stride = kernel, no padding.</summary>
    public static Value PatchConv(this Value x, string name, int channels, int kernel) =>
        x.Graph.AddNode("Conv", [x, x.Weight(name + ".weight", channels, Length(x, 1), kernel, kernel), x.Weight(name + ".bias", channels)], Window(kernel, kernel, 0, 1), name: name).Outputs[0];

    /// <summary>Batch normalization of the channels, unfolded: scale 1, bias 0, mean 0, variance 1 until <see cref="BatchNormStatistics"/> sets them.</summary>
    public static Value BatchNorm(this Value x, string name, float epsilon = 1e-5f)
    {
        int channels = (int)Length(x, 1);
        return x.Graph.AddNode("BatchNormalization",
            [x, x.Filled(name + ".weight", 1, channels), x.Filled(name + ".bias", 0, channels), x.Filled(name + ".running_mean", 0, channels), x.Filled(name + ".running_var", 1, channels)],
            new() { { "epsilon", epsilon } }, name: name).Outputs[0];
    }

    /// <summary>x Wᵀ + b for rows [N, inputs].</summary>
    public static Value Linear(this Value x, string name, int outputs)
    {
        Value weight = x.Weight(name + ".weight", outputs, Length(x, 1));
        return x.Graph.AddNode("Gemm", [x, weight, x.Filled(name + ".bias", 0, outputs)], new() { { "transB", 1 } }, name: name).Outputs[0];
    }

    /// <summary>x W + b for the last dimension of a value of any rank.</summary>
    public static Value Dense(this Value x, string name, int outputs, bool hasBias = true)
    {
        Graph graph = x.Graph;
        Value product = graph.AddNode("MatMul", [x, x.Weight(name + ".weight", Length(x, x.Shape!.Rank - 1), outputs)], name: name).Outputs[0];
        return !hasBias ? product : graph.AddNode("Add", [product, x.Filled(name + ".bias", 0, outputs)], name: name + "/Add").Outputs[0];
    }

    /// <summary>Normalizes the last dimension (opset 17).</summary>
    public static Value LayerNorm(this Value x, string name, float epsilon = 1e-5f, bool hasBias = true)
    {
        long width = Length(x, x.Shape!.Rank - 1);
        return x.Graph.AddNode("LayerNormalization", [x, x.Filled(name + ".weight", 1, width), .. hasBias ? new[] { x.Filled(name + ".bias", 0, width) } : []],
            new() { { "axis", -1 }, { "epsilon", epsilon } }, name: name).Outputs[0];
    }

    /// <summary>Rows of a table [count, width] by number.</summary>
    public static Value Embedding(this Value ids, string name, int count, int width) =>
        ids.Graph.AddNode("Gather", [ids.Weight(name + ".weight", count, width), ids], name: name).Outputs[0];

    /// <summary>One layer of an LSTM over steps [T, N, inputs]: outputs [T, N, width], and the last state and cell, each [1, N, width].</summary>
    /// <param name="x">The steps.</param>
    /// <param name="name">Name of the layer.</param>
    /// <param name="width">Length of the state.</param>
    /// <param name="state">First state [1, N, width]; null for zeros.</param>
    /// <param name="cell">First cell [1, N, width]; null for zeros.</param>
    public static (Value Output, Value State, Value Cell) Lstm(this Value x, string name, int width, Value? state = null, Value? cell = null)
    {
        Graph graph = x.Graph;
        Value[] weights = [x.Weight(name + ".weight_ih", 1, 4 * width, Length(x, 2)), x.Weight(name + ".weight_hh", 1, 4 * width, width), x.Weight(name + ".bias", 1, 8 * width)];
        IReadOnlyList<Value> outputs = graph.AddNode("LSTM", [x, .. weights, null, state, cell], new() { { "hidden_size", width } }, outputs: 3, name: name).Outputs;
        Value axis = graph.AddConstant(name + "/axis", Tensor.From(1L));
        return (graph.AddNode("Squeeze", [outputs[0], axis], name: name + "/Squeeze").Outputs[0], outputs[1], outputs[2]);
    }

    /// <summary>A float32 constant of zeros, to be initialized.</summary>
    internal static Value Weight(this Value x, string name, params ReadOnlySpan<long> lengths) => x.Graph.AddConstant(name, Tensor.Allocate(ElementType.Float32, new(lengths)));

    private static Value Filled(this Value x, string name, float number, long length)
    {
        Tensor tensor = Tensor.AllocateUninitialized(ElementType.Float32, [length]);
        tensor.Span<float>().Fill(number);
        return x.Graph.AddConstant(name, tensor);
    }

    private static Attributes Window(int kernel, int stride, int pad, int groups) => new()
    {
        { "kernel_shape", new long[] { kernel, kernel } }, { "strides", new long[] { stride, stride } }, { "pads", new long[] { pad, pad, pad, pad } },
        { "dilations", new long[] { 1, 1 } }, { "group", groups },
    };

    private static long Length(Value x, int axis) =>
        x.Shape is { } shape && shape.Rank > axis && shape[axis].IsKnown ? shape[axis].Length : throw new ArgumentException($"a layer needs the length of dimension {axis} of {x}", nameof(x));
}
