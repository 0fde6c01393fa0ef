using Fewbit.Tensors;

namespace Fewbit.Graphs.Tests.Differentiation;

internal static partial class GradientCases
{
    private static IEnumerable<GradientCase> Normalization
    {
        get
        {
            yield return new("BatchNormalization", X([3, 2, 2]), X([2]), X([2]), X([2]), X([2], 0.5, 1)) { Note = "evaluation" };
            yield return new("BatchNormalization", X([3, 2, 3]), X([2]), X([2]), new Fixed(X([2])), new Fixed(X([2], 0.5, 1))) { Note = "training", Attributes = new() { { "training_mode", 1 } } };
            yield return new("InstanceNormalization", X([2, 3, 4]), X([3]), X([3]));
            yield return new("GroupNormalization", X([2, 4, 3]), X([4]), X([4])) { Attributes = new() { { "num_groups", 2 } } };
            yield return new("LayerNormalization", X([2, 3, 4]), X([4]), X([4]));
            yield return new("LayerNormalization", X([2, 3, 4]), X([3, 4])) { Note = "axis", Attributes = new() { { "axis", 1 } } };
            yield return new("LayerNormalization", X([2, 3, 4]), X([3, 1]), X([1, 4])) { Note = "broadcast scale", Attributes = new() { { "axis", 1 } } };
            yield return new("RMSNormalization", X([2, 3, 4]), X([4]));
            yield return new("SimplifiedLayerNormalization", X([2, 3]), X([3]));
            yield return new("MeanVarianceNormalization", X([2, 3, 2, 2]));
            foreach (long p in (long[])[1, 2]) yield return new("LpNormalization", AwayFromZero([2, 3, 2])) { Note = $"p = {p}", Attributes = new() { { "p", p }, { "axis", 1 } } };
            yield return new("LRN", X([2, 5, 2, 3])) { Attributes = new() { { "size", 3 }, { "alpha", 0.9f }, { "bias", 1.3f } } };
            yield return new("LRN", X([2, 4])) { Note = "even size, no plane", Attributes = new() { { "size", 2 }, { "alpha", 0.9f }, { "beta", 0.5f } } };
        }
    }

    private static IEnumerable<GradientCase> Signal
    {
        get
        {
            foreach (int opset in (int[])[17, 21])
            {
                // The axis is an attribute before opset 20, an input from then on.
                GradientCase Dft(string note, Tensor x, long axis, object? length, params (string Name, object Value)[] settings)
                {
                    var attributes = new Attributes();
                    foreach ((string name, object value) in settings) attributes.Add(name, value);
                    if (opset < 20) attributes.Add("axis", axis);
                    return new("DFT", opset < 20 ? [x, length] : [x, length, Int(axis)]) { Note = $"{note}, opset {opset}", Opset = opset, Attributes = attributes };
                }
                yield return Dft("real", X([2, 5, 1]), 1, null);
                yield return Dft("complex", X([2, 3, 4, 2]), 1, null);
                yield return Dft("inverse, filled", X([1, 4, 2, 2]), 1, Int(6), ("inverse", 1));
                yield return Dft("one-sided, cut", X([2, 7, 1]), 1, Int(6), ("onesided", 1));
                yield return Dft("one-sided, odd", X([1, 5, 1]), 1, null, ("onesided", 1));
                yield return Dft("inverse, one-sided", X([2, 4, 2]), 1, null, ("onesided", 1), ("inverse", 1));
                yield return Dft("inverse, one-sided, odd", X([2, 4, 2]), 1, Int(7), ("onesided", 1), ("inverse", 1));
                yield return new("STFT", X([2, 9, 1]), Int(2), X([4])) { Note = $"opset {opset}", Opset = opset };
                yield return new("STFT", X([1, 8, 2]), Int(3), null, Int(5)) { Note = $"complex, opset {opset}", Opset = opset, Attributes = new() { { "onesided", 0 } } };
            }
        }
    }

    private static IEnumerable<GradientCase> Fused
    {
        get
        {
            foreach ((string name, Attributes attributes) in ((string, Attributes)[])[
                ("relu", new() { { "activation", "relu" } }), ("clip", new() { { "activation", "clip" }, { "low", -0.5f }, { "high", 0.7f } }), ("leakyrelu", new() { { "activation", "leakyrelu" }, { "low", 0.1f } }),
                ("gelu", new() { { "activation", "gelu" } }), ("tanhgelu", new() { { "activation", "tanhgelu" } }), ("swish", new() { { "activation", "swish" }, { "low", 1.3f } })])
            {
                attributes.Add("pads", L(1, 0, 0, 1));
                yield return new("FusedConv", X([1, 2, 3, 3]), X([3, 2, 2, 2]), X([3]), X([1, 3, 3, 3])) { Domain = Fewbit, Note = name, Attributes = attributes };
            }
            yield return new("FusedConv", X([1, 2, 3, 3]), X([3, 2, 2, 2]), null, X([1, 3, 2, 2])) { Domain = Fewbit, Note = "residual" };
            foreach (string activation in (string[])["Relu", "Sigmoid", "Tanh", "HardSigmoid", "Elu", "Softplus", "ScaledTanh", "Affine", "Softsign", "ThresholdedRelu"])
            {
                if (activation is "Relu" or "Tanh" or "HardSigmoid") yield return new("FusedConv", X([1, 2, 3]), X([2, 2, 2]), X([2]), X([1, 2, 2])) { Domain = Microsoft, Note = activation, Attributes = new() { { "activation", activation } } };
                yield return new("FusedGemm", X([3, 2]), X([2, 2]), X([2])) { Domain = Microsoft, Note = activation, Attributes = new() { { "activation", activation }, { "alpha", 0.8f } } };
            }
            yield return new("BiasGelu", X([2, 3]), X([3])) { Domain = Microsoft };
            yield return new("FastGelu", X([2, 3]), X([3])) { Domain = Microsoft };
            yield return new("FastGelu", X([2, 3])) { Domain = Microsoft, Note = "no bias" };
        }
    }

    private static IEnumerable<GradientCase> Losses
    {
        get
        {
            foreach (string op in (string[])["SoftmaxCrossEntropyLoss", "NegativeLogLikelihoodLoss"])
            {
                foreach (string reduction in (string[])["none", "sum", "mean"])
                    yield return new(op, X([3, 5, 2]), Ints([3, 2], 4, 0, -1, 2, 1, 3), new Fixed(X([5], 0.5, 1.5))) { Note = reduction, Attributes = new() { { "reduction", reduction }, { "ignore_index", -1 } } };
            }
            yield return new("Attention", X([1, 2, 3, 4]), X([1, 2, 5, 4]), X([1, 2, 5, 2]));
        }
    }

    private static IEnumerable<GradientCase> Recurrence
    {
        get
        {
            yield return new("LSTM", X([3, 2, 2]), X([1, 12, 2]), X([1, 12, 3]), X([1, 24])) { Outputs = 3, Attributes = new() { { "hidden_size", 3 } } };
            yield return new("GRU", X([3, 2, 2]), X([2, 6, 2]), X([2, 6, 2]), X([2, 12])) { Outputs = 2, Attributes = new() { { "hidden_size", 2 }, { "direction", "bidirectional" } } };
            yield return new("RNN", X([3, 2, 2]), X([1, 2, 2]), X([1, 2, 2]), X([1, 4]), Tensor.From(3, 2)) { Outputs = 2, Attributes = new() { { "hidden_size", 2 }, { "direction", "reverse" } } };
        }
    }
}
