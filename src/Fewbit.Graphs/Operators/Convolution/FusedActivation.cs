using System.Numerics;
using Fewbit.Graphs.Operators.Elementwise;
using Fewbit.Tensors.Kernels;

namespace Fewbit.Graphs.Operators;

/// <summary>The activation of a fused node as attributes: activation = none, relu, clip (low, high), leakyrelu (low = slope), gelu, tanhgelu or swish (low = alpha).</summary>
internal static class FusedActivation
{
    public static Activation Parse(Node node) => node.String("activation", "none") switch
    {
        "none" => Activation.None,
        "relu" => Activation.Relu,
        "clip" => Activation.Clip(node.Float("low"), node.Float("high")),
        "leakyrelu" => Activation.LeakyRelu(node.Float("low")),
        "gelu" => Activation.Gelu,
        "tanhgelu" => Activation.TanhGelu,
        "swish" => Activation.Swish(node.Float("low")),
        string other => throw node.Fail($"activation is '{other}', expected none, relu, clip, leakyrelu, gelu, tanhgelu or swish"),
    };

    public static void Write(Activation activation, Attributes attributes)
    {
        attributes.Set("activation", activation.Kind.ToString().ToLowerInvariant());
        if (activation.Kind is ActivationKind.Clip or ActivationKind.LeakyRelu or ActivationKind.Swish) attributes.Set("low", activation.Low);
        if (activation.Kind == ActivationKind.Clip) attributes.Set("high", activation.High);
    }

    /// <summary>The activation as a node of its own.</summary>
    public static Value SpellOut(Activation activation, Value x) => activation.Kind switch
    {
        ActivationKind.Relu => x.Relu(),
        ActivationKind.Clip => x.Apply("Clip", x.Scalar(activation.Low), x.Scalar(activation.High)),
        ActivationKind.LeakyRelu => x.Apply("LeakyRelu", new Attributes { { "alpha", activation.Low } }),
        ActivationKind.Gelu => x.Gelu(),
        ActivationKind.TanhGelu => x.Apply("Gelu", new Attributes { { "approximate", "tanh" } }),
        ActivationKind.Swish => x.Apply("Swish", new Attributes { { "alpha", activation.Low } }),
        _ => x,
    };

    /// <summary>The scalar form in any float type.</summary>
    public static T Apply<T>(Activation activation, T x) where T : IBinaryFloatingPointIeee754<T> => activation.Kind switch
    {
        ActivationKind.Relu => x < T.Zero ? T.Zero : x,
        ActivationKind.Clip => x < T.CreateChecked(activation.Low) ? T.CreateChecked(activation.Low) : x > T.CreateChecked(activation.High) ? T.CreateChecked(activation.High) : x,
        ActivationKind.LeakyRelu => x < T.Zero ? x * T.CreateChecked(activation.Low) : x,
        ActivationKind.Gelu => new GeluFunction().Apply(x),
        ActivationKind.TanhGelu => new TanhGeluFunction().Apply(x),
        ActivationKind.Swish => new SwishFunction(activation.Low).Apply(x),
        _ => x,
    };
}
