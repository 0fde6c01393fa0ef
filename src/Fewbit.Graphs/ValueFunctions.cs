using Fewbit.Tensors;

namespace Fewbit.Graphs;

/// <summary>Operators without weights as methods, so that a network reads from input to output.</summary>
/// <remarks>A node is named after the layer that it follows: <c>conv1/Relu</c>.</remarks>
public sealed partial class Value
{
    /// <summary>max(x, 0).</summary>
    public Value Relu() => Then("Relu");

    /// <summary>min(max(x, 0), 6).</summary>
    public Value Relu6() => Then("Clip", null, Scalar(0), Scalar(6));

    /// <summary>x * Φ(x), the exact form (opset 20).</summary>
    public Value Gelu() => Then("Gelu");

    /// <summary>Exponentials that sum to 1 along an axis.</summary>
    public Value Softmax(int axis = -1) => Then("Softmax", new() { { "axis", axis } });

    /// <summary>Matrix product of the last two dimensions, broadcast over the others.</summary>
    public Value MatMul(Value other) => Then("MatMul", null, other);

    /// <summary>Dimension i of the result is dimension <paramref name="order"/>[i] of this value.</summary>
    public Value Transpose(params long[] order) => Then("Transpose", new() { { "perm", order } });

    /// <summary>The same elements in other lengths; 0 keeps a length, one -1 is found from the others.</summary>
    public Value Reshape(params long[] lengths) => Then("Reshape", null, Integers("shape", lengths));

    /// <summary>[N, C, ...] as [N, C * ...].</summary>
    public Value Flatten() => Then("Flatten");

    /// <summary>Largest value of each window of a picture [N, C, H, W].</summary>
    public Value MaxPool(int kernel, int stride, int pad = 0) =>
        Then("MaxPool", new() { { "kernel_shape", new long[] { kernel, kernel } }, { "strides", new long[] { stride, stride } }, { "pads", new long[] { pad, pad, pad, pad } } });

    /// <summary>Mean of each plane: [N, C, H, W] as [N, C, 1, 1].</summary>
    public Value GlobalAveragePool() => Then("GlobalAveragePool");

    /// <summary>Every <paramref name="step"/>-th item of an axis from <paramref name="start"/> up to, without, <paramref name="end"/>.</summary>
    public Value Slice(int axis, long start, long end = long.MaxValue, long step = 1) =>
        Then("Slice", null, Integers("starts", start), Integers("ends", end), Integers("axes", axis), Integers("steps", step));

    /// <summary>Zeros before and after the items of each dimension.</summary>
    /// <param name="before">As many as there are dimensions.</param>
    /// <param name="after">As many as there are dimensions.</param>
    public Value Pad(ReadOnlySpan<long> before, ReadOnlySpan<long> after) => Then("Pad", null, Integers("pads", [.. before, .. after]));

    /// <summary>This value and others behind each other along an axis.</summary>
    public Value Concat(int axis, params ReadOnlySpan<Value?> others) => Then("Concat", new() { { "axis", axis } }, others);

    /// <summary>Parts of the given lengths along an axis.</summary>
    public IReadOnlyList<Value> Split(int axis, params long[] lengths) =>
        Graph.AddNode("Split", [this, Integers("split", lengths)], new() { { "axis", axis } }, lengths.Length, $"{Layer}/Split").Outputs;

    /// <summary>Declares the value as an output of the graph under a name.</summary>
    public Value Returns(string name)
    {
        Graph.Rename(this, name);
        Graph.AddOutput(this);
        return this;
    }

    /// <summary>The layer that the value comes from: the name of its node up to the first slash.</summary>
    internal string Layer => (Producer?.Name ?? Name).Split('/', 2)[0];

    private Value Then(string opType, Attributes? attributes = null, params ReadOnlySpan<Value?> others) =>
        Graph.AddNode(opType, [this, .. others], attributes, name: $"{Layer}/{opType}").Outputs[0];

    private Value Integers(string role, params long[] numbers) => Graph.AddConstant($"{Layer}/{role}", Tensor.From<long>(numbers));
}
