using System.Numerics;
using Fewbit.Tensors.Kernels;

namespace Fewbit.Graphs.Operators.Elementwise;

/// <summary>1 / (1 + e^-x) as ONNX Runtime computes it (MlasComputeLogistic): a quotient of polynomials, absolute error below 1e-7. For exact evaluation only: small results lose digits.</summary>
internal readonly record struct RationalSigmoid : IUnaryFunction, IVectorFunction
{
    private const float End = 18;

    public Vector<float> Apply(Vector<float> x)
    {
        Vector<float> limited = Vector.Min(Vector.Max(x, new Vector<float>(-End)), new Vector<float>(End)), square = limited * limited;
        Vector<float> p = Polynomials.Add(square, 4.37031012579801e-11f, 1.15627324459942e-07f);
        p = Polynomials.Add(square, p, 6.08574864600143e-05f);
        p = Polynomials.Add(square, p, 8.51377133304701e-03f);
        p = Polynomials.Add(square, p, 2.48287947061529e-01f);
        Vector<float> q = Polynomials.Add(square, 6.10247389755681e-13f, 5.76102136993427e-09f);
        q = Polynomials.Add(square, q, 6.29106785017040e-06f);
        q = Polynomials.Add(square, q, 1.70198817374094e-03f);
        q = Polynomials.Add(square, q, 1.16817656904453e-01f);
        q = Polynomials.Add(square, q, 9.93151921023180e-01f);
        return Vector.Max(limited * p / q + new Vector<float>(0.5f), Vector<float>.Zero);
    }

    public T Apply<T>(T x) where T : IBinaryFloatingPointIeee754<T> => new SigmoidFunction().Apply(x);

    public void Apply(ReadOnlySpan<float> x, Span<float> y) => Loops.Vectors(this, x, y);

    public Value? Gradient(Value x, Value y, Value gradient) => new SigmoidFunction().Gradient(x, y, gradient);
}
