using Fewbit.Formats;
using Fewbit.Graphs;
using Fewbit.Graphs.Execution;
using Fewbit.Quantization;
using Fewbit.Reconstruction;
using Fewbit.Rounding;
using Fewbit.Tensors;
using Fewbit.Tests.Reconstruction;

namespace Fewbit.Tests.Rounding;

public sealed class AdaRoundTests
{
    private static readonly QuantizationParameters s_grid = new(new IntegerFormat(3, false), Granularity.PerChannel(0), [0.3f, 0.11f], [3, 2]);

    private static (LearnedWeight Learned, Graph Graph, Tensor Weight) Create()
    {
        var random = new SeededRandom(4);
        Tensor weight = SmallNetwork.Normal([2, 40], 0.5, ref random);
        var graph = new Graph();
        return (new AdaRound().Add(graph, "w", weight, s_grid), graph, weight);
    }

    [Fact]
    public void Soft_AtTheStart_IsTheFloatWeightWhereItIsNotClamped()
    {
        (LearnedWeight learned, Graph graph, Tensor weight) = Create();
        graph.AddOutput(learned.Soft);
        Tensor soft = new Interpreter().Run(graph, new Dictionary<string, Tensor>())[0];
        int inside = 0;
        for (int i = 0; i < weight.ElementCount; i++)
        {
            (float scale, int zeroPoint) = (s_grid.Scales[i / 40], s_grid.ZeroPoints[i / 40]);
            float value = weight.Span<float>()[i], low = (0 - zeroPoint) * scale, high = (7 - zeroPoint) * scale;
            if (value > low && value < high) inside++;
            Assert.Equal(Math.Clamp(value, low, high), soft.Span<float>()[i], 1e-5 * scale);
        }
        Assert.InRange(inside, 20, 79);
    }

    [Fact]
    public void Harden_AtTheStart_IsTheNearestCode()
    {
        (LearnedWeight learned, _, Tensor weight) = Create();
        Assert.Equal(AffineQuantizer.Unpack(AffineQuantizer.Quantize(weight, s_grid)), learned.Harden().Span<int>().ToArray());
    }

    [Fact]
    public void Harden_AfterVariablesMoved_TakesCeilingWhereTheyAreNotNegative()
    {
        (LearnedWeight learned, _, Tensor weight) = Create();
        Span<float> v = learned.Variables[0].Constant!.Span<float>();
        for (int i = 0; i < v.Length; i++) v[i] = i % 3 == 0 ? 0 : -1e-3f;
        int[] codes = learned.Harden().Span<int>().ToArray();
        for (int i = 0; i < codes.Length; i++)
        {
            int floor = (int)MathF.Floor(weight.Span<float>()[i] / s_grid.Scales[i / 40]) + s_grid.ZeroPoints[i / 40];
            Assert.Equal(Math.Clamp(floor + (i % 3 == 0 ? 1 : 0), 0, 7), codes[i]);
        }
        Assert.Equal(80, learned.Undecided());
    }

    /// <summary>Formats that are none of integers, with a scale for which weights reach both ends.</summary>
    public static TheoryData<string, float> Formats => new() { { "fp3e1m1", 0.3f }, { "fp4e2m1", 0.15f }, { "fp6e3m2", 0.03f }, { "fp8e4m3fn", 0.002f }, { "fp8e5m2", 2e-5f }, { "pot4", 0.9f }, { "apot4", 0.8f }, { "apot7", 0.9f } };

    private static NumberFormat FormatOf(string name) => name == "codebook" ? new CodebookFormat([-1.5f, -0.6f, -0.1f, 0.2f, 0.9f, 1.4f]) : NumberFormats.Parse(name);

    [Theory]
    [MemberData(nameof(Formats))]
    [InlineData("codebook", 0.6f)]
    public void Add_AnyFormat_ChoosesBetweenTheNeighboursAndStartsAtTheNearest(string name, float scale)
    {
        NumberFormat format = FormatOf(name);
        var grid = new QuantizationParameters(format, Granularity.PerChannel(0), [scale, 0.7f * scale], [0, 0]);
        var random = new SeededRandom(4);
        Tensor weight = SmallNetwork.Normal([2, 200], 0.5, ref random);
        var graph = new Graph();
        LearnedWeight learned = new AdaRound().Add(graph, "w", weight, grid);
        // Numbers, not codes: a small negative weight's nearest code may be that of -0.
        Assert.Equal(AffineQuantizer.FakeQuantize(weight, grid).Span<float>().ToArray(), AffineQuantizer.Dequantize(learned.Harden(), grid).Span<float>().ToArray());
        graph.AddOutput(learned.Soft);
        float[] soft = new Interpreter().Run(graph, new Dictionary<string, Tensor>())[0].Span<float>().ToArray();
        Span<float> v = learned.Variables[0].Constant!.Span<float>();
        for (int i = 0; i < v.Length; i++)
        {
            (ValueRange range, float w) = (grid.RangeOf(i / 200), weight.Span<float>()[i]);
            Assert.Equal(Math.Clamp(w, range.Min, range.Max), soft[i], 1e-5 * Math.Max(MathF.Abs(w), scale));
            v[i] = i % 3 == 0 ? 0 : -1e-3f;
        }
        float[] hard = AffineQuantizer.Dequantize(learned.Harden(), grid).Span<float>().ToArray();
        for (int i = 0; i < v.Length; i++)
        {
            float own = grid.Scales[i / 200];
            Neighbours around = format.NeighboursOf(weight.Span<float>()[i] / own);
            Assert.Equal((i % 3 == 0 ? around.Above : around.Below) * own, hard[i]);
        }
        // Weights beyond the ends have nothing to decide, but for their variable.
        Assert.Equal(v.Length, learned.Undecided());
    }

    [Fact]
    public void BetweenNeighbours_OfIntegers_IsTheWeightOfIntegers()
    {
        (LearnedWeight expected, Graph graph, Tensor weight) = Create();
        LearnedWeight found = new BetweenNeighbours(graph, "w", weight, s_grid);
        float low = -3 * 0.3f, high = 4 * 0.3f;
        foreach (LearnedWeight learned in (LearnedWeight[])[expected, found])
        {
            Span<float> v = learned.Variables[0].Constant!.Span<float>();
            for (int i = 0; i < v.Length; i++) v[i] += MathF.Sin(i);
            graph.AddOutput(learned.Soft);
            graph.AddOutput(Gradients.Of(learned.Soft, [learned.Variables[0]])[0]);
        }
        Tensor[] results = new Interpreter().Run(graph, new Dictionary<string, Tensor>());
        int compared = 0;
        for (int i = 0; i < 40; i++)
        {
            // A clamped weight stays there in either form; the integer form lets its variable fall below the end.
            if (weight.Span<float>()[i] <= low || weight.Span<float>()[i] >= high) continue;
            compared++;
            Assert.Equal(results[0].Span<float>()[i], results[2].Span<float>()[i], 2e-6);
            Assert.Equal(results[1].Span<float>()[i], results[3].Span<float>()[i], 2e-6);
            Assert.Equal(expected.Harden().Span<int>()[i], found.Harden().Span<int>()[i]);
        }
        Assert.InRange(compared, 20, 40);
    }

    [Fact]
    public void Learn_UncorrelatedInputs_IsNearest()
    {
        // Each sample shows one input alone: no error of one weight can make up for another's.
        const int Inputs = 16;
        Tensor samples = Tensor.Allocate(ElementType.Float32, [64, Inputs]);
        for (int row = 0; row < 64; row++) samples.Span<float>()[row * Inputs + row % Inputs] = 1;
        var random = new SeededRandom(8);
        Reconstructor reconstructor = Layer(SmallNetwork.Normal([Inputs, 6], 0.5, ref random), samples, bits: 3, steps: 400, roundingWeight: 0.01, out WeightSite site);
        int[] nearest = AffineQuantizer.Unpack(AffineQuantizer.Quantize(site.Weight.Constant!, reconstructor.State.GridOf(site)));
        Assert.Equal(nearest, reconstructor.State.Codes[site.Node.Name].Span<int>().ToArray());
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Learn_FourWeights_FindsTheBestOfSixteenRoundings(int seed)
    {
        var random = new SeededRandom((ulong)seed);
        Tensor samples = Tensor.AllocateUninitialized(ElementType.Float32, [128, 4]);
        for (int row = 0; row < 128; row++)
        {
            double common = random.NextNormal();
            for (int i = 0; i < 4; i++) samples.Span<float>()[row * 4 + i] = (float)(common + 0.5 * random.NextNormal());
        }
        Tensor weight = SmallNetwork.Normal([4, 1], 0.5, ref random);
        Reconstructor reconstructor = Layer(weight, samples, bits: 3, steps: 4000, roundingWeight: 0.1, out WeightSite site);
        QuantizationParameters grid = reconstructor.State.GridOf(site);
        int[] floor = [.. weight.Span<float>().ToArray().Select(w => (int)MathF.Floor(w / grid.Scale) + grid.ZeroPoint)];
        double best = Enumerable.Range(0, 16).Min(mask => Error([.. floor.Select((code, i) => Math.Clamp(code + (mask >> i & 1), 0, 7))]));
        Assert.InRange(Error(reconstructor.State.Codes[site.Node.Name].Span<int>().ToArray()), best, 1.01 * best + 1e-12);

        double Error(int[] codes)
        {
            double sum = 0;
            for (int row = 0; row < 128; row++)
            {
                double difference = 0;
                for (int i = 0; i < 4; i++) difference += samples.Span<float>()[row * 4 + i] * ((codes[i] - grid.ZeroPoint) * grid.Scale - weight.Span<float>()[i]);
                sum += difference * difference;
            }
            return sum;
        }
    }

    [Fact]
    public void Learn_WithoutRegularizer_LeavesRoundingsBetweenCodesAndWithItDecidesThem()
    {
        var random = new SeededRandom(8);
        Tensor weight = SmallNetwork.Normal([16, 6], 0.5, ref random), samples = SmallNetwork.Normal([64, 16], 1, ref random);
        Reconstructor free = Layer(weight, samples, bits: 2, steps: 1500, roundingWeight: 0, out _, rate: 1e-2), regular = Layer(weight, samples, bits: 2, steps: 1500, roundingWeight: 0.3, out _, rate: 1e-2);
        Assert.True(free.Reports[0].Undecided > 48, free.Reports[0].ToString());
        Assert.True(regular.Reports[0].Undecided < 10, regular.Reports[0].ToString());
        // Free variables keep the error of the soft weight below that of any rounding.
        Assert.True(free.Reports[0].LastLoss < regular.Reports[0].LastLoss, $"{free.Reports[0]} {regular.Reports[0]}");
    }

    private static Reconstructor Layer(Tensor weight, Tensor samples, int bits, int steps, double roundingWeight, out WeightSite site, double rate = 1e-3)
    {
        var graph = new Graph();
        graph.AddInput("x", ElementType.Float32, [Dim.Unknown, weight.Shape[0]]).MatMul(graph.AddConstant("w", weight)).Returns("y");
        Graph prepared = Preparation.Prepare(graph);
        ReconstructionPass pass = ReconstructionMethod.AdaRound(steps).Passes[0] with { SkipsFirst = false, RoundingWeight = roundingWeight, RoundingRate = rate };
        ReconstructionMethod method = ReconstructionMethod.AdaRound() with { Passes = [pass] };
        Reconstructor reconstructor = method.CreateReconstructor(prepared, QuantizerSites.Find(prepared, SmallNetwork.Options(bits) with { KeepEdgesAt8Bits = false }), new());
        reconstructor.Run(new Dictionary<string, Tensor> { ["x"] = samples });
        site = reconstructor.State.Sites.Weights[0];
        return reconstructor;
    }
}
