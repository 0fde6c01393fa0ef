using Fewbit.Tensors;

namespace Fewbit.Graphs.Tests.Operators;

public sealed class UnaryTests
{
    private static readonly string[] Smooth =
    [
        "Exp", "Sigmoid", "Tanh", "Erf", "Softplus", "Softsign", "Mish", "Swish", "Gelu", "Sin", "Cos", "Tan", "Atan", "Sinh", "Cosh", "Asinh", "Neg", "Identity",
    ];

    private static readonly string[] OfPositive = ["Log", "Sqrt", "Reciprocal", "Abs", "Relu", "Elu", "Selu", "Celu", "LeakyRelu", "HardSigmoid", "HardSwish", "Asin", "Acos", "Atanh"];

    [Fact]
    public void Run_Float32_IsWithinAFewUnitsOfFloat64()
    {
        Tensor x = OperatorRun.Random([2_001], 1, -6, 6), positive = OperatorRun.Random([2_001], 1, 0.05f, 0.95f);
        foreach ((string op, Tensor input) in Smooth.Select(op => (op, x)).Concat(OfPositive.Select(op => (op, positive))))
        {
            float[] found = OperatorRun.One(op, input).Span<float>().ToArray();
            double[] expected = OperatorRun.One(op, Graphs.Operators.Casting.Convert(input, ElementType.Float64)).Span<double>().ToArray();
            for (int i = 0; i < found.Length; i++)
            {
                // The sums inside Gelu and its like cancel for x near -6: absolute there.
                double tolerance = 1e-6 * Math.Max(1, Math.Abs(expected[i]));
                Assert.True(Math.Abs(found[i] - expected[i]) <= tolerance, $"{op}({input.Span<float>()[i]}) is {found[i]}, by float64 {expected[i]}");
            }
        }
    }

    [Theory]
    [InlineData("Exp", -87f, 88.7f)]
    [InlineData("Sigmoid", -87f, 20f)]
    [InlineData("Tanh", -10f, 10f)]
    [InlineData("Tanh", -0.01f, 0.01f)]
    [InlineData("Erf", -4f, 4f)]
    [InlineData("Erf", -0.01f, 0.01f)]
    [InlineData("Log", 1e-30f, 2f)]
    public void Run_VectorKernels_AreWithinSixUnitsInTheLastPlace(string op, float min, float max)
    {
        Tensor x = OperatorRun.Random([10_003], 2, min, max);
        float[] found = OperatorRun.One(op, x).Span<float>().ToArray();
        double[] expected = OperatorRun.One(op, Graphs.Operators.Casting.Convert(x, ElementType.Float64)).Span<double>().ToArray();
        for (int i = 0; i < found.Length; i++)
        {
            double unit = MathF.BitIncrement(MathF.Abs((float)expected[i])) - MathF.Abs((float)expected[i]);
            Assert.True(Math.Abs(found[i] - expected[i]) <= 6 * unit, $"{op}({x.Span<float>()[i]}) is {found[i]}, by float64 {expected[i]}");
        }
    }

    [Fact]
    public void Run_EndsOfTheRange_KeepTheirLimits()
    {
        Tensor x = Tensor.From(float.NaN, float.PositiveInfinity, float.NegativeInfinity, 200f, -200f);
        Assert.Equal([float.NaN, 1f, 0f, 1f, 0f], OperatorRun.One("Sigmoid", x).Span<float>().ToArray());
        Assert.Equal([float.NaN, 1f, -1f, 1f, -1f], OperatorRun.One("Tanh", x).Span<float>().ToArray());
        Assert.Equal([float.NaN, 1f, -1f, 1f, -1f], OperatorRun.One("Erf", x).Span<float>().ToArray());
        Assert.Equal([float.NaN, float.PositiveInfinity, 0f, 200f, 0f], OperatorRun.One("Relu", x).Span<float>().ToArray());
        Assert.Equal([float.NaN, float.PositiveInfinity, 0f, float.PositiveInfinity, 0f], OperatorRun.One("Exp", x).Span<float>().ToArray());
        Assert.Equal([float.NaN, 6f, 0f, 6f, 0f], OperatorRun.One("Clip", x, Tensor.Scalar(0f), Tensor.Scalar(6f)).Span<float>().ToArray());
    }

    [Fact]
    public void Round_Ties_GoToEven()
    {
        Assert.Equal([-2f, -2f, 0f, 0f, 2f, 2f, 4f], OperatorRun.One("Round", Tensor.From(-2.5f, -1.5f, -0.5f, 0.5f, 1.5f, 2.5f, 3.5f)).Span<float>().ToArray());
    }

    [Fact]
    public void Run_Integers_WhereOnnxHasThem()
    {
        Assert.Equal([int.MinValue, 3, 3], OperatorRun.One("Abs", Tensor.From(int.MinValue, -3, 3)).Span<int>().ToArray());
        Assert.Equal([0, 0, 3], OperatorRun.One("Relu", Tensor.From(int.MinValue, -3, 3)).Span<int>().ToArray());
        Assert.Equal([-1L, 0L, 1L], OperatorRun.One("Sign", Tensor.From(-7L, 0L, 7L)).Span<long>().ToArray());
        Assert.Equal([1, 2, 4], OperatorRun.One("Clip", Tensor.From((sbyte)-7, (sbyte)2, (sbyte)7), Tensor.Scalar((sbyte)1), Tensor.Scalar((sbyte)4)).Span<sbyte>().ToArray());
        string message = Assert.Throws<InvalidDataException>(() => OperatorRun.One("Exp", Tensor.From(1))).Message;
        Assert.Equal("Exp 'Exp': does not take int32 elements", message);
    }
}
