using Fewbit.Graphs.Operators.Elementwise;
using Fewbit.Tensors;

namespace Fewbit.Graphs.Tests.Operators;

/// <summary>Gradient rules of what sequence models are made of, against central differences; and float32 kernels against float64.</summary>
public sealed class SequenceGradientTests
{
    [Theory]
    [InlineData("Softmax", 0)]
    [InlineData("Softmax", 1)]
    [InlineData("Softmax", -1)]
    [InlineData("LogSoftmax", 1)]
    [InlineData("LogSoftmax", -1)]
    public void Softmax_MatchesDifferencesTwice(string opType, long axis) => CheckTwice(v => [v[0].Apply(opType, new Attributes { { "axis", axis } })], Random(1, 2, 3, 37));

    [Theory]
    [InlineData("none")]
    [InlineData("tanh")]
    public void Gelu_MatchesDifferencesTwice(string approximate) => CheckTwice(v => [v[0].Apply("Gelu", new Attributes { { "approximate", approximate } })], GradientCheck.Random([3, 37], 1, -4, 4));

    [Fact]
    public unsafe void GeluGradient_WholeRuns_EqualTheFormula()
    {
        const int Count = 1003;
        var (x, factors, actual) = (new float[Count], new float[Count], new float[Count]);
        for (int i = 0; i < Count; i++) (x[i], factors[i]) = ((i - 500) * 0.021f, 1 + i % 7);
        fixed (float* a = x, b = factors, to = actual) ArithmeticKernel<float, GeluGradientFunction>.Run(a, 1, b, 1, to, Count);
        for (int i = 0; i < Count; i++) Assert.Equal(GeluGradientFunction.Apply(x[i], factors[i]), actual[i], 2e-6f);
    }

    [Theory]
    [InlineData("LayerNormalization", 1)]
    [InlineData("LayerNormalization", -1)]
    [InlineData("RMSNormalization", 1)]
    [InlineData("RMSNormalization", -1)]
    public void LayerNormalization_ScaleOfWholeRow_MatchesDifferencesTwice(string opType, long axis)
    {
        Tensor x = Random(1, 3, 2, 13), scale = axis == 1 ? Random(2, 2, 13) : Random(2, 13), bias = axis == 1 ? Random(3, 2, 13) : Random(3, 13);
        var attributes = new Attributes { { "axis", axis } };
        if (opType == "RMSNormalization") CheckTwice(v => [v[0].Apply(opType, attributes, v[1])], x, scale);
        else CheckTwice(v => [v[0].Apply(opType, attributes, v[1], v[2])], x, scale, bias);
    }

    [Fact]
    public void LayerNormalization_MeanAndDeviationAreRead_MatchesDifferences() =>
        GradientCheck.RunMany(v => [.. v[0].Graph.AddNode("LayerNormalization", [v[0], v[1], v[2]], new() { { "axis", -1 } }, outputs: 3).Outputs], Random(1, 3, 5), Random(2, 5), Random(3, 5));

    [Theory]
    [InlineData("none", false)]
    [InlineData("sum", false)]
    [InlineData("mean", false)]
    [InlineData("mean", true)]
    [InlineData("none", true)]
    public void ClassificationLoss_IgnoredAndWeighted_MatchesDifferencesTwice(string reduction, bool isSpatial)
    {
        Tensor x = isSpatial ? Random(1, 2, 19, 3) : Random(1, 4, 19), target = isSpatial ? Tensor.From<long>([18, -1, 4, 0, 7, 18], [2, 3]) : Tensor.From<long>([3, 0, -1, 18], [4]);
        foreach (string opType in (string[])["SoftmaxCrossEntropyLoss", "NegativeLogLikelihoodLoss"])
        {
            foreach (bool isWeighted in (bool[])[false, true])
            {
                CheckTwice(
                    v => [v[0].Apply(opType, new Attributes { { "reduction", reduction }, { "ignore_index", -1 } }, v[0].Graph.AddConstant("t", target), isWeighted ? Weights(v[0]) : null)], x);
            }
        }
        // The weights of classes are constants of the type of the scores.
        static Value Weights(Value x)
        {
            Tensor weights = GradientCheck.Random([19], 5, 0.5, 2);
            return x.Graph.AddConstant("w", x.Type == ElementType.Float64 ? weights : ToFloat(weights));
        }
    }

    [Fact]
    public void SoftmaxCrossEntropy_LogarithmsAreRead_MatchesDifferences() => GradientCheck.RunMany(
        v => [.. v[0].Graph.AddNode("SoftmaxCrossEntropyLoss", [v[0], v[0].Graph.AddConstant("t", Tensor.From(1L, 4L))], outputs: 2).Outputs], Random(1, 2, 5));

    [Theory]
    [InlineData(3, 4, 2, false, 0f)]
    [InlineData(3, 4, 2, true, 0f)]
    [InlineData(14, 17, 1, false, 0f)]
    [InlineData(14, 14, 2, true, 0f)]
    [InlineData(3, 4, 2, true, 2f)]
    public void Attention_RowsAndSharedHeads_MatchesDifferencesTwice(int queries, int keys, int keyHeads, bool isCausal, float cap) => CheckTwice(
        v => [v[0].Apply("Attention", new Attributes { { "q_num_heads", 2 }, { "kv_num_heads", keyHeads }, { "is_causal", isCausal }, { "softcap", cap } }, v[1], v[2])],
        Random(1, 2, queries, 6), Random(2, 2, keys, 3 * keyHeads), Random(3, 2, keys, 5 * keyHeads));

    [Theory]
    [InlineData(61, 61, true)]
    [InlineData(50, 110, true)]
    [InlineData(110, 50, true)]
    [InlineData(150, 131, false)]
    public void Attention_BlocksOfQueries_EqualsFloat64(int queries, int keys, bool isCausal) => FloatGradientCheck.Run(
        v => [v[0].Apply("Attention", new Attributes { { "q_num_heads", 2 }, { "kv_num_heads", 1 }, { "is_causal", isCausal } }, v[1], v[2])], 1e-4,
        Random(1, 2, queries, 18), Random(2, 2, keys, 9), Random(3, 2, keys, 11));

    /// <summary>The operator computes in float32 alone: in float64 the same is written with ONNX Attention.</summary>
    [Theory]
    [InlineData(false, false)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    public void MultiHeadAttention_BiasPaddingPast_EqualsAttention(bool isCausal, bool hasLengths)
    {
        const int heads = 2, size = 3, width = heads * size;
        FloatGradientCheck.Run(v =>
        {
            (Value q, Value k, Value values, Value bias, Value pastKey, Value pastValue, Graph graph) = (v[0], v[1], v[2], v[3], v[4], v[5], v[0].Graph);
            // The second item has no keys behind the fifth place.
            Value padding = hasLengths ? graph.AddConstant("lengths", Tensor.From(7, 5)) : graph.AddConstant("flags", Tensor.From([1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0], [2, 7]));
            if (v[0].Type == ElementType.Float32)
            {
                var attributes = new Attributes { { "num_heads", heads }, { "unidirectional", isCausal } };
                return [.. graph.InsertNode(graph.Nodes.Count, "com.microsoft", "MultiHeadAttention", [q, k, values, bias, padding, null, pastKey, pastValue], attributes, 3).Outputs];
            }
            Value Part(int index) => bias.Slice(0, index * width, (index + 1) * width);
            Tensor mask = Tensor.Allocate(ElementType.Float64, [2, 1, 4, 7]);
            for (int i = 0; i < mask.ElementCount; i++)
            {
                (int n, int query, int key) = (i / 28, i / 7 % 4, i % 7);
                if (n == 1 && key >= 5) mask.Span<double>()[i] = -10000;
                if (isCausal && key > query + 3) mask.Span<double>()[i] = double.NegativeInfinity;
            }
            return [.. graph.AddNode("Attention", [q + Part(0), k + Part(1), values + Part(2), graph.AddConstant("mask", mask), pastKey, pastValue], new() { { "q_num_heads", heads }, { "kv_num_heads", heads } }, 3).Outputs];
        }, 1e-4, Random(1, 2, 4, width), Random(2, 2, 4, width), Random(3, 2, 4, width), Random(4, 3 * width), Random(5, 2, heads, 3, size), Random(6, 2, heads, 3, size));
    }

    [Fact]
    public void FlexAttention_GraphOfItsOwn_SaysSo()
    {
        var graph = new Graph(opset: 23);
        var body = new Graph("twice", parent: graph);
        Value score = body.AddInput("score", ElementType.Float64, null);
        body.AddOutput(body.AddNode("Add", [score, score]).Outputs[0]);
        Value x = graph.AddInput("x", ElementType.Float64, [1, 2, 3, 4]);
        Value y = graph.InsertNode(0, "ai.onnx.preview", "FlexAttention", [x, x, x], new() { { "score_mod", body } }, name: "flex").Outputs[0];
        Assert.Contains("FlexAttention 'flex': has no gradient rule where a graph changes its scores", Assert.Throws<InvalidDataException>(() => Gradients.Of(y, [x])).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(37, 41)]
    [InlineData(700, 53)]
    public void Bias_SumsOfColumns_EqualsFloat64(int rows, int columns) => FloatGradientCheck.Run(v => [v[0] * v[1]], 1e-5, Random(1, 3, rows, columns), Random(2, columns));

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Attention_PastMaskAndOutputs_MatchesDifferences(bool isBool)
    {
        // The last query sees nothing by the Boolean mask; the other mask ends before the keys do.
        Tensor flags = Tensor.Allocate(ElementType.Bool, [3, 7]);
        for (int i = 0; i < 14; i++) flags.Span<bool>()[i] = i % 3 != 0;
        GradientCheck.RunMany(
            v => [.. v[0].Graph.AddNode("Attention", [v[0], v[1], v[2], isBool ? v[0].Graph.AddConstant("mask", flags) : v[5], v[3], v[4]], new() { { "is_causal", 1 }, { "qk_matmul_output_mode", isBool ? 3 : 1 } }, outputs: 4).Outputs],
            [Random(1, 2, 2, 3, 4), Random(2, 2, 2, 4, 4), Random(3, 2, 2, 4, 5), Random(4, 2, 2, 3, 4), Random(5, 2, 2, 3, 5), .. isBool ? Array.Empty<Tensor>() : [Random(6, 3, 6)]]);
    }

    [Fact]
    public void Attention_LengthsOfKeys_MatchesDifferences() => CheckTwice(
        v => [v[0].Apply("Attention", new Attributes { { "is_causal", 1 } }, v[1], v[2], null, null, null, v[0].Graph.AddConstant("lengths", Tensor.From(5L, 3L)))],
        Random(1, 2, 3, 3, 4), Random(2, 2, 3, 5, 4), Random(3, 2, 3, 5, 2));

    [Theory]
    [InlineData("LSTM", "forward", 0, 0)]
    [InlineData("LSTM", "reverse", 1, 0)]
    [InlineData("LSTM", "bidirectional", 0, 1)]
    [InlineData("LSTM", "bidirectional", 1, 0)]
    [InlineData("GRU", "forward", 0, 0)]
    [InlineData("GRU", "bidirectional", 1, 1)]
    [InlineData("GRU", "reverse", 0, 0)]
    [InlineData("RNN", "forward", 1, 0)]
    [InlineData("RNN", "bidirectional", 0, 0)]
    public void Recurrent_LengthsAndStates_MatchesDifferencesTwice(string opType, string direction, long layout, long variant)
    {
        const int steps = 3, batch = 2, input = 2, hidden = 5;
        int gates = opType switch { "LSTM" => 4, "GRU" => 3, _ => 1 }, directions = direction == "bidirectional" ? 2 : 1;
        Attributes Settings()
        {
            Attributes settings = new() { { "hidden_size", hidden }, { "direction", direction }, { "layout", layout } };
            if (opType == "LSTM") settings.Add("input_forget", variant);
            if (opType == "GRU") settings.Add("linear_before_reset", variant);
            return settings;
        }
        Tensor x = layout == 1 ? Random(1, batch, steps, input) : Random(1, steps, batch, input);
        Tensor State(int seed) => layout == 1 ? Random(seed, batch, directions, hidden) : Random(seed, directions, batch, hidden);
        Tensor[] common = [x, Random(2, directions, gates * hidden, input), Random(3, directions, gates * hidden, hidden), Random(4, directions, 2 * gates * hidden), State(5)];
        Tensor[] inputs = opType == "LSTM" ? [.. common, State(6), Random(7, directions, 3 * hidden)] : common;
        foreach (bool hasLengths in (bool[])[false, true])
        {
            Value[] Build(Value[] v)
            {
                Value? lengths = hasLengths ? v[0].Graph.AddConstant("lengths", Tensor.From(3, 1)) : null;
                Value?[] all = opType == "LSTM" ? [v[0], v[1], v[2], v[3], lengths, v[4], v[5], v[6]] : [v[0], v[1], v[2], v[3], lengths, v[4]];
                return [.. v[0].Graph.AddNode(opType, all, Settings(), outputs: opType == "LSTM" ? 3 : 2).Outputs];
            }
            GradientCheck.RunMany(Build, inputs);
            FloatGradientCheck.Run(Build, 1e-4, inputs);
        }
        GradientCheck.RunTwice(v => v[0].Apply(opType, Settings(), v[1], v[2], v[3]), inputs[..4]);
    }

    [Fact]
    public void Lstm_WithoutPeepholes_EqualsFloat64AtOddWidths() => FloatGradientCheck.Run(
        v => [.. v[0].Graph.AddNode("LSTM", [v[0], v[1], v[2]], new() { { "hidden_size", 37 } }, outputs: 3).Outputs], 1e-4, Random(1, 5, 14, 11), Random(2, 1, 148, 11), Random(3, 1, 148, 37));

    [Theory]
    [InlineData("Relu", "LeakyRelu", "Softsign", 0f)]
    [InlineData("HardSigmoid", "ScaledTanh", "Elu", 0f)]
    [InlineData("Softplus", "Affine", "ThresholdedRelu", 0f)]
    [InlineData("Sigmoid", "Tanh", "Tanh", 0.4f)]
    public void Lstm_OtherActivationsAndClip_MatchesDifferences(string gate, string candidate, string result, float clip)
    {
        var attributes = new Attributes { { "hidden_size", 5 }, { "activations", new[] { gate, candidate, result } } };
        if (clip > 0) attributes.Add("clip", clip);
        if (result == "ThresholdedRelu") attributes.Add("activation_alpha", new float[] { 0.7f, 0.05f });
        GradientCheck.Run(v => v[0].Apply("LSTM", attributes, v[1], v[2]), Random(1, 3, 2, 4), Random(2, 1, 20, 4), Random(3, 1, 20, 5));
    }

    [Fact]
    public void Gru_UnknownSteps_SaysWhatMustBeKnown()
    {
        var graph = new Graph(opset: 21);
        Value x = graph.AddInput("x", ElementType.Float64, ["T", 2, 3]), w = graph.AddInput("w", ElementType.Float64, [1, 12, 3]), r = graph.AddInput("r", ElementType.Float64, [1, 12, 4]);
        Value y = graph.AddNode("GRU", [x, w, r], new() { { "hidden_size", 4 } }, name: "gru").Outputs[0];
        string message = Assert.Throws<InvalidDataException>(() => Gradients.Of(y, [w])).Message;
        Assert.StartsWith("GRU 'gru': has an input", message, StringComparison.Ordinal);
        Assert.Contains("must know the number of steps", message, StringComparison.Ordinal);
    }

    /// <summary>Finite differences of both orders in float64; and the float32 kernels, forward and gradient, against float64.</summary>
    private static void CheckTwice(Func<Value[], Value[]> build, params Tensor[] inputs)
    {
        GradientCheck.RunTwice(values => build(values)[0], inputs);
        FloatGradientCheck.Run(build, 1e-4, inputs);
    }

    private static Tensor Random(int seed, params long[] lengths) => GradientCheck.Random(new(lengths), seed);

    private static Tensor ToFloat(Tensor tensor) => FloatGradientCheck.Narrow(tensor);
}
