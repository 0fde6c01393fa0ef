using System.Numerics;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace Fewbit.Graphs.Operators;

/// <summary>An activation of a recurrent cell with its constants.</summary>
internal sealed record RecurrentActivation(string Name, float Alpha, float Beta)
{
    private static readonly string[] WithAlpha = ["leakyrelu", "thresholdedrelu", "elu", "affine", "scaledtanh", "hardsigmoid"];
    private static readonly string[] WithBeta = ["affine", "scaledtanh", "hardsigmoid"];

    /// <summary>The activations of all directions; the constants are listed in order, only for those that have them.</summary>
    public static RecurrentActivation[] Parse(Node node, Cell cell, int directions)
    {
        string[] defaults = cell switch
        {
            Cell.Lstm => ["Sigmoid", "Tanh", "Tanh"],
            Cell.Gru => ["Sigmoid", "Tanh"],
            _ => ["Tanh"],
        };
        string[] names = node.Attribute<string[]>("activations") ?? [.. Enumerable.Repeat(defaults, directions).SelectMany(list => list)];
        node.Expect(names.Length == defaults.Length * directions, $"activations has {names.Length} names, expected {defaults.Length * directions}");
        var (alphas, betas) = (new Queue<float>(node.Floats("activation_alpha") ?? []), new Queue<float>(node.Floats("activation_beta") ?? []));
        return Array.ConvertAll(names, name => Create(node, name.ToLowerInvariant(), alphas, betas));
    }

    /// <summary>One activation by its name, with its constants where they are stated.</summary>
    public static RecurrentActivation Create(Node node, string name, ReadOnlySpan<float> constants)
    {
        RecurrentActivation activation = Create(node, name.ToLowerInvariant(), new(), new());
        return activation with { Alpha = constants.Length > 0 ? constants[0] : activation.Alpha, Beta = constants.Length > 1 ? constants[1] : activation.Beta };
    }

    /// <summary>Applies the function in place.</summary>
    public void Apply<T>(Span<T> x, T clip) where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        if (T.IsFinite(clip)) TensorPrimitives.Clamp(x, -clip, clip, x);
        if (Name == "sigmoid") TensorPrimitives.Sigmoid<T>(x, x);
        else if (Name == "tanh") TensorPrimitives.Tanh<T>(x, x);
        else
        {
            (T alpha, T beta) = (T.CreateChecked(Alpha), T.CreateChecked(Beta));
            for (int i = 0; i < x.Length; i++) x[i] = Scalar(x[i], alpha, beta);
        }
    }

    private T Scalar<T>(T x, T alpha, T beta) where T : IBinaryFloatingPointIeee754<T> => Name switch
    {
        "relu" => T.Max(T.Zero, x),
        "leakyrelu" => x >= T.Zero ? x : alpha * x,
        "thresholdedrelu" => x > alpha ? x : T.Zero,
        "scaledtanh" => alpha * T.Tanh(beta * x),
        "hardsigmoid" => T.Clamp(alpha * x + beta, T.Zero, T.One),
        "elu" => x >= T.Zero ? x : alpha * (T.Exp(x) - T.One),
        "softsign" => x / (T.One + T.Abs(x)),
        "softplus" => x > T.Zero ? x + T.Log(T.One + T.Exp(-x)) : T.Log(T.One + T.Exp(x)),
        _ => alpha * x + beta,
    };

    private static RecurrentActivation Create(Node node, string name, Queue<float> alphas, Queue<float> betas)
    {
        (float alpha, float beta) = name switch
        {
            "sigmoid" or "tanh" or "relu" or "softsign" or "softplus" => (0f, 0f),
            "leakyrelu" => (0.01f, 0),
            "thresholdedrelu" or "elu" => (1f, 0),
            "scaledtanh" or "affine" => (1f, name == "affine" ? 0f : 1f),
            "hardsigmoid" => (0.2f, 0.5f),
            _ => throw node.Fail($"activation is '{name}', expected sigmoid, tanh, relu, leakyrelu, thresholdedrelu, scaledtanh, hardsigmoid, elu, softsign, softplus or affine"),
        };
        if (WithAlpha.Contains(name) && alphas.TryDequeue(out float a)) alpha = a;
        if (WithBeta.Contains(name) && betas.TryDequeue(out float b)) beta = b;
        return new(name, alpha, beta);
    }
}
