using Fewbit.Cli.Demo;
using Fewbit.Cli.Judging;
using Fewbit.Data;
using Fewbit.Graphs;
using Fewbit.Onnx;

namespace Fewbit.Cli.Tests;

public class FloatCheckTests
{
    [Theory]
    [InlineData(new[] { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 }, 0.2)] // c = 0.1: c + 10 points is the smaller
    [InlineData(new[] { 0, 0, 0, 1 }, 0.85)] // c = 0.75
    [InlineData(new[] { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24 }, 0.12)] // c = 0.04: 3c is the smaller
    public void NearChanceOf_Labels_IsTheSmallerOfThreeTimesAndTenPointsMore(int[] labels, double expected) => Assert.Equal(expected, FloatCheck.NearChanceOf(labels), 1e-12);

    [Fact]
    public void Rank_UnlabelledPictures_PutsTheRightPresetFirst()
    {
        using var work = new Workspace();
        using IModelRunner model = Engines.Fewbit(OnnxFile.Load(work.DemoModel()));
        IReadOnlyList<PreprocessingTrial> trials = PreprocessingTrial.Rank(model, new Unlabelled(new DemoData(3, 48, "for a trial")), null, CancellationToken.None)!;
        Assert.Equal("tf", trials[0].Preprocessing.Name);
        Assert.All(trials, trial => Assert.Null(trial.Top1));
    }

    private sealed class Unlabelled(DataSet data) : DataSet
    {
        public override string Description => data.Description;
        public override int Count => data.Count;
        public override Sample Read(int index) => data.Read(index);
        public override string NameOf(int index) => data.NameOf(index);
    }
}
