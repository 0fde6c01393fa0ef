using Fewbit.Graphs.Execution;
using Fewbit.Tensors;

namespace Fewbit.Graphs.Tests.Operators;

public sealed class BinaryTests
{
    private static readonly Func<float, float, float>[] References = [(a, b) => a + b, (a, b) => a - b, (a, b) => a * b, (a, b) => a / b];

    public static TheoryData<long[], long[]> Shapes => new()
    {
        { [7], [7] }, { [], [5] }, { [3, 1, 5], [1, 4, 1] }, { [2, 3, 1, 1], [2, 3, 17, 9] }, { [1, 3, 1, 1], [2, 3, 5, 7] },
        { [33], [9, 33] }, { [4, 1], [4, 33] }, { [2, 0, 3], [1, 1, 3] }, { [1, 1], [1] }, { [5, 1, 4, 1, 3], [1, 6, 1, 2, 1] }, { [40, 2000], [1, 2000] },
    };

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Run_BroadcastShapes_EqualNaiveLoop(long[] a, long[] b)
    {
        Tensor x = OperatorRun.Random(new(a), 1), y = OperatorRun.Random(new(b), 2);
        foreach ((string op, Func<float, float, float> reference) in new[] { "Add", "Sub", "Mul", "Div" }.Zip(References))
        {
            Tensor z = OperatorRun.One(op, x, y);
            Assert.Equal(Shape.Broadcast(x.Shape, y.Shape), z.Shape);
            Assert.Equal(Naive(x, y, z.Shape, reference), z.Span<float>().ToArray());
        }
    }

    [Fact]
    public void Div_Integers_TruncateAndWrapAtTheLowest()
    {
        Assert.Equal([-2, 2, -3, int.MinValue], OperatorRun.One("Div", Tensor.From(-7, 7, 7, int.MinValue), Tensor.From(3, 3, -2, -1)).Span<int>().ToArray());
    }

    [Fact]
    public void Div_IntegerByZero_NamesNode()
    {
        string message = Assert.Throws<InvalidDataException>(() => OperatorRun.One("Div", Tensor.From(1, 2), Tensor.From(0))).Message;
        Assert.StartsWith("Div 'Div': divides int32 [2] by 0", message, StringComparison.Ordinal);
    }

    [Fact]
    public void Mod_SignsOfBothKinds_FollowDivisorOrDividend()
    {
        Tensor a = Tensor.From(-4, 7, 5, 4, -7, 8), b = Tensor.From(2, -3, 8, -2, 3, 5);
        Assert.Equal([0, -2, 5, 0, 2, 3], OperatorRun.One("Mod", a, b).Span<int>().ToArray());
        Assert.Equal([0, 1, 5, 0, -1, 3], OperatorRun.One("Mod", new Attributes { { "fmod", 1 } }, a, b).Span<int>().ToArray());
    }

    [Fact]
    public void MaxMin_NaN_IsKept()
    {
        Tensor a = Tensor.From(1f, float.NaN, 3f, -0f, 1f, 2f, 3f, 4f, float.NaN), b = Tensor.From(2f, 2f, float.NaN, 0f, 4f, 3f, 2f, 1f, 0f);
        Assert.Equal([2f, float.NaN, float.NaN, 0f, 4f, 3f, 3f, 4f, float.NaN], OperatorRun.One("Max", a, b).Span<float>().ToArray());
        Assert.Equal([1f, float.NaN, float.NaN, -0f, 1f, 2f, 2f, 1f, float.NaN], OperatorRun.One("Min", a, b).Span<float>().ToArray());
    }

    [Fact]
    public void Pow_SmallPowers_EqualTheLibraryFunction()
    {
        Tensor x = Tensor.From(-2f, -0f, 0f, 0.3f, 7f, float.NegativeInfinity, float.NaN);
        foreach (float power in new[] { 1f, 2f, 3f, 0.5f, -1f, 1.7f, 0f })
        {
            float[] found = OperatorRun.One("Pow", x, Tensor.Scalar(power)).Span<float>().ToArray();
            for (int i = 0; i < found.Length; i++) Assert.Equal(MathF.Pow(x.Span<float>()[i], power), found[i], 1e-5f);
        }
        Assert.Equal([1, 8, 81], OperatorRun.One("Pow", Tensor.From(1, 2, 3), Tensor.From(2L, 3L, 4L)).Span<int>().ToArray());
    }

    [Fact]
    public void Pow_VectorsAndOddElements_EqualTheLibraryFunction()
    {
        Tensor x = OperatorRun.Random([1_003], 1, 0.001f, 30), exponent = OperatorRun.Random([1_003], 2, -6, 20);
        float[] special = [-1.5f, 0f, float.NaN, float.PositiveInfinity, -0f];
        for (int i = 0; i < special.Length; i++) x.Span<float>()[100 * i + 7] = special[i];
        (exponent.Span<float>()[600], exponent.Span<float>()[700]) = (float.NegativeInfinity, float.NaN);
        float[] found = OperatorRun.One("Pow", x, exponent).Span<float>().ToArray();
        for (int i = 0; i < found.Length; i++)
        {
            float expected = MathF.Pow(x.Span<float>()[i], exponent.Span<float>()[i]);
            Assert.True(found[i].Equals(expected) || Math.Abs(found[i] - expected) <= 2e-7f * Math.Abs(expected), $"{x.Span<float>()[i]}^{exponent.Span<float>()[i]} is {found[i]}, expected {expected}");
        }
    }

    [Fact]
    public void Run_TypesThatDiffer_NamesBoth()
    {
        string message = Assert.Throws<InvalidDataException>(() => OperatorRun.One("Add", Tensor.From(1f), Tensor.From(1L))).Message;
        Assert.Contains("takes inputs of one type, but 'x0' float32 [1] meets 'x1' int64 [1]", message, StringComparison.Ordinal);
    }

    [Fact]
    public void Run_HalfPrecision_RoundsOnce()
    {
        Tensor a = Tensor.From((Half)1, (Half)2048), b = Tensor.From((Half)0.0004883f, (Half)1);
        Assert.Equal([(Half)1.00048828125f, (Half)2048], OperatorRun.One("Add", a, b).Span<Half>().ToArray());
    }

    [Fact]
    public void Infer_ArithmeticOnLengths_KeepsSymbols()
    {
        var graph = new Graph();
        Value shape = graph.AddInput("x", ElementType.Float32, ["N", 6]).Apply("Shape");
        Value wanted = shape * graph.AddConstant("k", Tensor.From(1L, 2L)) / graph.AddConstant("d", Tensor.From(1L, 3L));
        Value y = graph.AddInput("y", ElementType.Float32, [1, 1]).Apply("Expand", wanted);
        Assert.Equal("[N, 4]", y.Shape!.ToString());
    }

    [Fact]
    public void Plan_InPlaceChain_EqualsInterpreter()
    {
        var graph = new Graph();
        Value x = graph.AddInput("x", ElementType.Float32, [4, 5]);
        Value y = (x + 1f).Apply("Max", x * 2f, graph.AddConstant("c", Tensor.From(0.5f))) - x;
        graph.AddOutput(y);
        var inputs = new Dictionary<string, Tensor> { ["x"] = OperatorRun.Random([4, 5], 3) };
        using var runner = new GraphRunner(graph);
        Assert.Equal(new Interpreter().Run(graph, inputs)[0].Span<float>().ToArray(), runner.Run(inputs)[y.Name].Span<float>().ToArray());
    }

    private static float[] Naive(Tensor a, Tensor b, Shape shape, Func<float, float, float> function)
    {
        var result = new float[shape.ElementCount];
        for (int i = 0; i < result.Length; i++) result[i] = function(a.Span<float>()[At(a.Shape, shape, i)], b.Span<float>()[At(b.Shape, shape, i)]);
        return result;
    }

    private static int At(Shape operand, Shape output, long element)
    {
        long at = 0, step = 1;
        for (int i = 1; i <= output.Rank; i++)
        {
            (element, long position) = Math.DivRem(element, output[output.Rank - i]);
            if (i > operand.Rank) continue;
            at += (operand[operand.Rank - i] == 1 ? 0 : position) * step;
            step *= operand[operand.Rank - i];
        }
        return (int)at;
    }
}
