using Fewbit.Data;
using Fewbit.Graphs;
using Fewbit.Graphs.Execution;
using Fewbit.Promises;
using Fewbit.Tensors;

namespace Fewbit.Tests.Promises;

public sealed class AnswerKeyTests
{
    /// <summary>Scores are the input, shifted so that class 2 wins more often.</summary>
    private static GraphRunner Model(float shift)
    {
        var graph = new Graph("scores", 17);
        Value x = graph.AddInput("x", ElementType.Float32, new SymbolicShape(Dim.Unknown, 3));
        graph.AddOutput(graph.AddNode("Add", [x, graph.AddConstant("shift", Tensor.From<float>([0, 0, shift]))], name: "add").Outputs[0]);
        return new(graph);
    }

    /// <summary>Rows whose highest score is at 0, 1, 0, 1, ...; class 2 follows by less and less.</summary>
    private static SampleBatch[] Batches(Func<int, int>? label) => [.. Enumerable.Range(0, 4).Select(batch =>
    {
        float[] rows = [.. Enumerable.Range(batch * 25, 25).SelectMany(row => row % 2 == 0 ? new float[] { 1, 0, row / 100f } : [0, 1, row / 100f])];
        return new SampleBatch(new Dictionary<string, Tensor> { ["x"] = Tensor.From<float>(rows, [25, 3]) }, 25, batch * 25, label is null ? null : [.. Enumerable.Range(batch * 25, 25).Select(label)]);
    })];

    [Fact]
    public void Measure_LabelsThatFloatKnowsByHeart_IsAgreement()
    {
        using GraphRunner model = Model(0);
        AnswerKey known = AnswerKey.Of(model, Batches(row => row % 2), CancellationToken.None), harder = AnswerKey.Of(model, Batches(row => row < 4 ? 2 : row % 2), CancellationToken.None);
        Assert.Equal((1.0, PromiseMeasure.Agreement), (known.Top1!.Value, known.Measure));
        Assert.Equal((0.96, PromiseMeasure.Top1), (Math.Round(harder.Top1!.Value, 9), harder.Measure));
        AnswerKey unlabelled = AnswerKey.Of(model, Batches(null), CancellationToken.None);
        Assert.Equal((null, PromiseMeasure.Agreement, 100L), (unlabelled.Top1, unlabelled.Measure, unlabelled.Count));
    }

    [Fact]
    public void Compare_OtherModel_CountsLossesOfTheMeasure()
    {
        using GraphRunner model = Model(0), other = Model(0.105f);
        // Rows 90 to 99 go over to class 2; 4 of them are said to be of class 2.
        AnswerKey key = AnswerKey.Of(model, Batches(row => row >= 96 ? 2 : row % 2), CancellationToken.None);
        PairedOutcome top1 = key.Compare(other, PromiseMeasure.Top1, CancellationToken.None), agreement = key.Compare(other, PromiseMeasure.Agreement, CancellationToken.None);
        Assert.Equal((6L, 4L, 100L), (top1.Lost, top1.Gained, top1.Total));
        Assert.Equal((10L, 0L, 100L), (agreement.Lost, agreement.Gained, agreement.Total));
        Assert.Equal(0.02, top1.Drop, 12);
        Assert.True(agreement.UpperBound(0.95) > 0.1);
    }

    [Fact]
    public void Of_NoClassScores_SaysWhatIsMissing()
    {
        var graph = new Graph("picture", 17);
        Value x = graph.AddInput("x", ElementType.Float32, new SymbolicShape(Dim.Unknown, 3));
        graph.AddOutput(graph.AddNode("Unsqueeze", [x, graph.AddConstant("axis", Tensor.From<long>([0]))], name: "unsqueeze").Outputs[0]);
        using var model = new GraphRunner(graph);
        string message = Assert.Throws<InvalidDataException>(() => AnswerKey.Of(model, Batches(null), CancellationToken.None)).Message;
        Assert.StartsWith("no output holds class scores of shape [N, classes], by which a promise is judged; the model has ", message, StringComparison.Ordinal);
    }
}
