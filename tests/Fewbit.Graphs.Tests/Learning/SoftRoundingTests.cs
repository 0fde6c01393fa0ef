using Fewbit.Graphs.Execution;
using Fewbit.Graphs.Operators;
using Fewbit.Tensors;

namespace Fewbit.Graphs.Tests.Learning;

public sealed class SoftRoundingTests
{
    private static readonly Attributes s_grid = new() { { "axis", 0L }, { "min", 0f }, { "max", 3f } };

    private static Value Weight(Value v) => v.Apply("ai.fewbit", "SoftRoundedWeight", s_grid,
        v.Graph.AddConstant("floor", Tensor.From<double>([-1, 0, 1, -2, 0, 1], [2, 3])), v.Graph.AddConstant("scale", Tensor.From(0.5, 0.25)), v.Graph.AddConstant("z", Tensor.From(1.0, 2.0)));

    [Fact]
    public void SoftRoundedWeight_Gradient_IsThatOfFiniteDifferences() =>
        GradientCheck.Run(values => Weight(values[0]), Tensor.From<double>([0.3, -0.8, 1.1, -1.5, 0.05, 4], [2, 3]));

    [Theory]
    [InlineData(20)]
    [InlineData(2)]
    public void RoundingRegularizer_Gradient_IsThatOfFiniteDifferences(double beta) =>
        GradientCheck.Run(values => values[0].Apply("ai.fewbit", "RoundingRegularizer", null, values[0].Graph.AddConstant("schedule", Tensor.From(beta, 0.01))), Tensor.From(0.3, -0.8, 1.1, -1.5, 0.07, 4));

    [Theory]
    [InlineData(2f, false)]
    [InlineData(2.4f, false)]
    [InlineData(2f, true)]
    public void PowerLoss_Gradient_IsThatOfFiniteDifferences(float p, bool isWeighted) => GradientCheck.Run(values =>
    {
        Value target = values[0].Graph.AddConstant("target", GradientCheck.Random([2, 3, 2], 5)), weight = values[0].Graph.AddConstant("weight", GradientCheck.Random([2, 3, 2], 6, 0.5, 2));
        return values[0].Apply("ai.fewbit", "PowerLoss", new() { { "p", p } }, isWeighted ? [target, weight] : [target]);
    }, GradientCheck.Random([2, 3, 2], 4));

    [Fact]
    public void PowerLoss_TwoChannels_SumsOverThemAndAveragesOverTheRest()
    {
        Tensor[] results = Floats(graph => [graph.Inputs[0].Apply("ai.fewbit", "PowerLoss", new() { { "p", 2f } }, graph.AddConstant("t", Tensor.Allocate(ElementType.Float32, [2, 2, 3])))],
            Tensor.From<float>([.. Enumerable.Repeat(2f, 12)], [2, 2, 3]));
        Assert.Equal(2 * 4, results[0].Item<float>(), 1e-6);
    }

    [Fact]
    public void SoftRounding_InverseOfFraction_GivesItBack()
    {
        for (float fraction = 0; fraction < 1; fraction += 1f / 64) Assert.Equal(fraction, SoftRounding.Of(SoftRounding.Inverse(fraction)).H, 1e-6);
    }

    [Fact]
    public void VectorForms_OfFloat_AgreeWithScalarForms()
    {
        // 37 elements: whole vectors and a rest.
        float[] v = [.. Enumerable.Range(0, 37).Select(i => 5 * MathF.Sin(i))];
        Tensor floor = Tensor.From<float>([.. Enumerable.Range(0, 37).Select(i => (float)(i % 5 - 3))], [1, 37]), scale = Tensor.From(0.3f), zero = Tensor.From(1f), schedule = Tensor.From(3.5f, 0.01f);
        Tensor[] single = Floats(graph => Forms(graph, floor, scale, zero, schedule), Tensor.From<float>(v, [1, 37]));
        Tensor[] wide = Doubles(graph => Forms(graph, Double(floor), Double(scale), Double(zero), Double(schedule)), Double(Tensor.From<float>(v, [1, 37])));
        for (int output = 0; output < single.Length; output++)
        {
            for (int i = 0; i < single[output].ElementCount; i++) Assert.Equal(wide[output].Span<double>()[i], single[output].Span<float>()[i], 2e-5);
        }
    }

    [Fact]
    public void Gradient_OfWhatIsNotLearned_SaysSo()
    {
        var graph = new Graph();
        Value x = graph.AddInput("x", ElementType.Float32, [2, 3]);
        Value one = graph.AddConstant("one", Tensor.From(1f)), loss = (x * 2f).Apply("ai.fewbit", "PowerLoss", null, x);
        Assert.Contains("no gradient rule for its target", Assert.Throws<InvalidDataException>(() => Gradients.Of(loss, [x])).Message, StringComparison.Ordinal);
        Value weight = x.Apply("ai.fewbit", "SoftRoundedWeight", new() { { "min", 0f }, { "max", 3f } }, x * 3f, one, one);
        Assert.Contains("no gradient rule for input 1", Assert.Throws<InvalidDataException>(() => Gradients.Of(weight, [x])).Message, StringComparison.Ordinal);
    }

    private static Value[] Forms(Graph graph, Tensor floor, Tensor scale, Tensor zero, Tensor schedule)
    {
        Value v = graph.Inputs[0];
        Value weight = v.Apply("ai.fewbit", "SoftRoundedWeight", new() { { "axis", 0L }, { "min", 0f }, { "max", 3f } }, graph.AddConstant("f", floor), graph.AddConstant("s", scale), graph.AddConstant("z", zero));
        Value regularizer = v.Apply("ai.fewbit", "RoundingRegularizer", null, graph.AddConstant("r", schedule));
        Value loss = weight.Apply("ai.fewbit", "PowerLoss", new() { { "p", 2.4f } }, graph.AddConstant("t", floor));
        return [weight, regularizer, loss, .. Gradients.Of(weight, [v]), .. Gradients.Of(regularizer, [v]), .. Gradients.Of(loss, [v])];
    }

    private static Tensor Double(Tensor tensor) => Tensor.From<double>([.. tensor.Span<float>().ToArray().Select(x => (double)x)], tensor.Shape);

    private static Tensor[] Floats(Func<Graph, Value[]> build, Tensor x) => Run(build, x, ElementType.Float32);

    private static Tensor[] Doubles(Func<Graph, Value[]> build, Tensor x) => Run(build, x, ElementType.Float64);

    private static Tensor[] Run(Func<Graph, Value[]> build, Tensor x, ElementType type)
    {
        var graph = new Graph();
        graph.AddInput("x", type, SymbolicShape.From(x.Shape));
        foreach (Value value in build(graph)) graph.AddOutput(value);
        return new Interpreter().Run(graph, new Dictionary<string, Tensor> { ["x"] = x });
    }
}
