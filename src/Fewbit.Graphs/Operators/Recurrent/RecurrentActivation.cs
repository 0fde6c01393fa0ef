using System.Numerics;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace Fewbit.Graphs.Operators;

/// <summary>The functions that recurrent cells name.</summary>
internal enum RecurrentFunction
{
    Sigmoid,
    Tanh,
    Relu,
    LeakyRelu,
    ThresholdedRelu,
    ScaledTanh,
    HardSigmoid,
    Elu,
    Softsign,
    Softplus,
    Affine,
}

/// <summary>An activation of a recurrent cell with its constants.</summary>
internal readonly record struct RecurrentActivation(RecurrentFunction Function, float Alpha, float Beta)
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
        if (Function == RecurrentFunction.Sigmoid) TensorPrimitives.Sigmoid<T>(x, x);
        else if (Function == RecurrentFunction.Tanh) TensorPrimitives.Tanh<T>(x, x);
        else
        {
            (T alpha, T beta) = (T.CreateChecked(Alpha), T.CreateChecked(Beta));
            for (int i = 0; i < x.Length; i++) x[i] = Scalar(x[i], alpha, beta);
        }
    }

    private T Scalar<T>(T x, T alpha, T beta) where T : IBinaryFloatingPointIeee754<T> => Function switch
    {
        RecurrentFunction.Relu => T.Max(T.Zero, x),
        RecurrentFunction.LeakyRelu => x >= T.Zero ? x : alpha * x,
        RecurrentFunction.ThresholdedRelu => x > alpha ? x : T.Zero,
        RecurrentFunction.ScaledTanh => alpha * T.Tanh(beta * x),
        RecurrentFunction.HardSigmoid => T.Clamp(alpha * x + beta, T.Zero, T.One),
        RecurrentFunction.Elu => x >= T.Zero ? x : alpha * (T.Exp(x) - T.One),
        RecurrentFunction.Softsign => x / (T.One + T.Abs(x)),
        RecurrentFunction.Softplus => x > T.Zero ? x + T.Log(T.One + T.Exp(-x)) : T.Log(T.One + T.Exp(x)),
        _ => alpha * x + beta,
    };

    /// <summary>Whether the derivative follows from the result alone: not where results below zero of a function that bends there are turned around.</summary>
    public bool HasSlopeOfResult => Function is not (RecurrentFunction.LeakyRelu or RecurrentFunction.Elu) || Alpha > 0;

    /// <summary>The derivative where the function's result is <paramref name="y"/>.</summary>
    public T SlopeOfResult<T>(T y) where T : IBinaryFloatingPointIeee754<T>
    {
        (T alpha, T beta) = (T.CreateChecked(Alpha), T.CreateChecked(Beta));
        return Function switch
        {
            RecurrentFunction.Sigmoid => y * (T.One - y),
            RecurrentFunction.Tanh => T.One - y * y,
            RecurrentFunction.Relu => y > T.Zero ? T.One : T.Zero,
            RecurrentFunction.LeakyRelu => y >= T.Zero ? T.One : alpha,
            RecurrentFunction.ThresholdedRelu => y != T.Zero ? T.One : T.Zero,
            RecurrentFunction.ScaledTanh => alpha == T.Zero ? T.Zero : beta * (alpha - y * y / alpha),
            RecurrentFunction.HardSigmoid => y > T.Zero && y < T.One ? alpha : T.Zero,
            RecurrentFunction.Elu => y >= T.Zero ? T.One : y + alpha,
            RecurrentFunction.Softsign => (T.One - T.Abs(y)) * (T.One - T.Abs(y)),
            RecurrentFunction.Softplus => T.One - T.Exp(-y),
            _ => alpha,
        };
    }

    /// <summary>The function in nodes.</summary>
    /// <param name="x">What it takes.</param>
    /// <param name="clip">Bound of what it takes; infinite for none.</param>
    public Value SpellOut(Value x, float clip)
    {
        if (float.IsFinite(clip)) x = x.Apply("Clip", x.Scalar(-clip), x.Scalar(clip));
        var alpha = new Attributes { { "alpha", Alpha } };
        return Function switch
        {
            RecurrentFunction.ScaledTanh => (x * x.Scalar(Beta)).Apply("Tanh") * x.Scalar(Alpha),
            RecurrentFunction.HardSigmoid => x.Apply("HardSigmoid", new Attributes { { "alpha", Alpha }, { "beta", Beta } }),
            RecurrentFunction.Affine => x * x.Scalar(Alpha) + x.Scalar(Beta),
            RecurrentFunction.LeakyRelu or RecurrentFunction.ThresholdedRelu or RecurrentFunction.Elu => x.Apply(Function.ToString(), alpha),
            _ => x.Apply(Function.ToString()),
        };
    }

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
        return new(Enum.Parse<RecurrentFunction>(name, ignoreCase: true), alpha, beta);
    }
}
