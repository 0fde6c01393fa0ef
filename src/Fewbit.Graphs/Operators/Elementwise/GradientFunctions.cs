using System.Numerics;

namespace Fewbit.Graphs.Operators.Elementwise;

/// <summary>Gradient of Relu: b where its output a is above 0, else 0.</summary>
internal readonly struct ReluGradientFunction : IDifferentiableBinaryFunction
{
    public static bool IsVectorized => true;

    public static T Apply<T>(T a, T b) where T : INumber<T> => a > T.Zero ? b : T.Zero;

    public static Vector<T> Apply<T>(Vector<T> a, Vector<T> b) => Vector.ConditionalSelect(Vector.GreaterThan(a, Vector<T>.Zero), b, Vector<T>.Zero);

    public static (Value? A, Value? B) Gradient(Value a, Value b, Value output, Value gradient) => (null, a.Apply(OperatorTable.FewbitDomain, "ReluGradient", null, gradient));
}

/// <summary>Gradient of Sigmoid: b · a · (1 - a), a its output.</summary>
internal readonly struct SigmoidGradientFunction : IDifferentiableBinaryFunction
{
    public static bool IsVectorized => true;

    public static T Apply<T>(T a, T b) where T : INumber<T> => b * (a * (T.One - a));

    public static Vector<T> Apply<T>(Vector<T> a, Vector<T> b) => b * (a * (Vector<T>.One - a));

    public static (Value? A, Value? B) Gradient(Value a, Value b, Value output, Value gradient) =>
        (gradient * b * (1f - a * 2f), a.Apply(OperatorTable.FewbitDomain, "SigmoidGradient", null, gradient));
}

/// <summary>Gradient of Tanh: b · (1 - a²), a its output.</summary>
internal readonly struct TanhGradientFunction : IDifferentiableBinaryFunction
{
    public static bool IsVectorized => true;

    public static T Apply<T>(T a, T b) where T : INumber<T> => b * (T.One - a * a);

    public static Vector<T> Apply<T>(Vector<T> a, Vector<T> b) => b * (Vector<T>.One - a * a);

    public static (Value? A, Value? B) Gradient(Value a, Value b, Value output, Value gradient) =>
        (gradient * b * a * -2f, a.Apply(OperatorTable.FewbitDomain, "TanhGradient", null, gradient));
}
