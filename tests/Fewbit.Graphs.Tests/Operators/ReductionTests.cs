using Fewbit.Tensors;
using Fewbit.Tensors.Threading;

namespace Fewbit.Graphs.Tests.Operators;

public sealed class ReductionTests
{
    private static readonly string[] Kinds = ["Sum", "Mean", "Max", "Min", "Prod", "SumSquare", "L1", "L2", "LogSum", "LogSumExp"];

    public static TheoryData<long[], long[]> Cases => new()
    {
        { [5], [0] }, { [3, 37], [1] }, { [37, 3], [0] }, { [2, 3, 4, 5], [2, 3] }, { [2, 3, 4, 5], [0, 2] }, { [2, 3, 4, 5], [1, 3] },
        { [2, 3, 4, 5], [-3] }, { [4, 700, 3], [1] }, { [3, 1, 5], [1] }, { [2, 600], [0] }, { [2, 3], [] },
    };

    [Theory]
    [MemberData(nameof(Cases))]
    public void Reduce_AnyAxes_EqualsNaiveLoop(long[] dims, long[] axes)
    {
        Tensor x = OperatorRun.Random(new(dims), 5, 0.5f, 1.5f);
        foreach (string kind in Kinds)
        {
            Tensor y = OperatorRun.One("Reduce" + kind, x, Tensor.From<long>(axes));
            double[] expected = Naive(kind, x, axes, out long[] shape);
            Assert.Equal(shape, y.Shape.Dims.ToArray());
            for (int i = 0; i < expected.Length; i++) Assert.Equal(expected[i], y.Span<float>()[i], 1e-6 * Math.Max(1, Math.Abs(expected[i])));
        }
    }

    [Fact]
    public void ReduceSum_MillionTerms_LosesNothing()
    {
        Tensor x = Tensor.AllocateUninitialized(ElementType.Float32, [1 << 20]);
        x.Span<float>().Fill(0.1f);
        Assert.Equal((float)((1 << 20) * (double)0.1f), OperatorRun.One("ReduceSum", x).Item<float>());
    }

    [Fact]
    public void Reduce_NoElements_GivesNeutralElement()
    {
        Tensor x = Tensor.Allocate(ElementType.Float32, [2, 0, 3]), axis = Tensor.From(1L);
        Assert.Equal(new float[6], OperatorRun.One("ReduceSum", x, axis).Span<float>().ToArray());
        Assert.Equal(Enumerable.Repeat(1f, 6), OperatorRun.One("ReduceProd", x, axis).Span<float>().ToArray());
        Assert.Equal(Enumerable.Repeat(float.NegativeInfinity, 6), OperatorRun.One("ReduceMax", x, axis).Span<float>().ToArray());
        Assert.Equal(Enumerable.Repeat(float.NegativeInfinity, 6), OperatorRun.One("ReduceLogSumExp", x, axis).Span<float>().ToArray());
    }

    [Fact]
    public void ReduceMax_NaN_IsKept()
    {
        Tensor x = Tensor.From(Enumerable.Range(0, 40).Select(i => i == 17 ? float.NaN : i).ToArray());
        Assert.Equal(float.NaN, OperatorRun.One("ReduceMax", x).Item<float>());
        Assert.Equal(float.NaN, OperatorRun.One("ReduceMin", x).Item<float>());
        Assert.Equal(39L, OperatorRun.One("ReduceMax", Tensor.From(Enumerable.Range(0, 40).Select(i => (long)i).ToArray())).Item<long>());
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(1)]
    [InlineData(0)]
    public void Softmax_EachAxis_EqualsDefinition(long axis)
    {
        Tensor x = OperatorRun.Random([3, 5, 300], 9, -20, 20);
        Tensor wide = Graphs.Operators.Casting.Convert(x, ElementType.Float64);
        foreach (string op in new[] { "Softmax", "LogSoftmax" })
        {
            Attributes Axis() => new() { { "axis", axis } };
            float[] found = OperatorRun.One(op, Axis(), x).Span<float>().ToArray();
            double[] expected = OperatorRun.One(op, Axis(), wide).Span<double>().ToArray();
            // A logarithm near 0 is a difference of numbers up to 20.
            double floor = op == "LogSoftmax" ? 1 : 1e-3;
            for (int i = 0; i < found.Length; i++) Assert.Equal(expected[i], found[i], 4e-6 * Math.Max(floor, Math.Abs(expected[i])));
        }
    }

    [Fact]
    public void Softmax_LargeAndInfinite_StaysFinite()
    {
        float[] y = OperatorRun.One("Softmax", Tensor.From(1e38f, 1e38f, float.NegativeInfinity)).Span<float>().ToArray();
        Assert.Equal([0.5f, 0.5f, 0f], y);
    }

    [Fact]
    public void Run_AnyThreadCount_GivesTheSameBytes()
    {
        Tensor x = OperatorRun.Random([64, 3000], 4);
        int threads = Workers.ThreadCount;
        try
        {
            byte[][] results = [.. new[] { 1, 2, 5 }.Select(count =>
            {
                Workers.ThreadCount = count;
                return (byte[])[.. OperatorRun.One("ReduceSum", x, Tensor.From(0L)).Bytes, .. OperatorRun.One("ReduceMean", x).Bytes, .. OperatorRun.One("Softmax", x).Bytes];
            })];
            Assert.Equal(results[0], results[1]);
            Assert.Equal(results[0], results[2]);
        }
        finally
        {
            Workers.ThreadCount = threads;
        }
    }

    private static double[] Naive(string kind, Tensor x, long[] axes, out long[] shape)
    {
        int rank = x.Rank;
        bool[] isReduced = [.. Enumerable.Range(0, rank).Select(axis => axes.Length == 0 || axes.Any(a => (a + rank) % rank == axis))];
        shape = [.. Enumerable.Range(0, rank).Select(axis => isReduced[axis] ? 1 : x.Shape[axis])];
        var groups = new SortedDictionary<long, List<double>>();
        long[] steps = new Shape(shape).Strides();
        for (int i = 0; i < x.ElementCount; i++)
        {
            long rest = i, key = 0;
            for (int axis = rank - 1; axis >= 0; axis--)
            {
                (rest, long position) = Math.DivRem(rest, x.Shape[axis]);
                if (!isReduced[axis]) key += position * steps[axis];
            }
            if (!groups.TryGetValue(key, out var group)) groups.Add(key, group = []);
            group.Add(x.Span<float>()[i]);
        }
        return [.. groups.Values.Select(group => kind switch
        {
            "Sum" => group.Sum(),
            "Mean" => group.Average(),
            "Max" => group.Max(),
            "Min" => group.Min(),
            "Prod" => group.Aggregate((a, b) => a * b),
            "SumSquare" => group.Sum(a => a * a),
            "L1" => group.Sum(Math.Abs),
            "L2" => Math.Sqrt(group.Sum(a => a * a)),
            "LogSum" => Math.Log(group.Sum()),
            _ => Math.Log(group.Sum(Math.Exp)),
        })];
    }
}
