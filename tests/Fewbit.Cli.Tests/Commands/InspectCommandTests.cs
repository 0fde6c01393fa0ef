using System.Text.Json;

namespace Fewbit.Cli.Tests.Commands;

public class InspectCommandTests
{
    [Fact]
    public void Run_Model_ShowsWhatItTakesAndHolds()
    {
        using var work = new Workspace();
        string model = work.DemoModel();
        RunResult run = RunResult.Of("inspect", model);
        Assert.Equal("", run.Messages);
        Assert.Equal(0, run.Code);
        Assert.Contains("input          'input' float32 [N, 3, 32, 32]\npictures       NCHW, 3 channels, 32 x 32\n", run.Output, StringComparison.Ordinal);
        Assert.Contains("output         'logits' float32 [N, 12]\n", run.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("1,3")]
    [InlineData("1,3,x,32")]
    [InlineData("1,0,32,32")]
    public void Run_ShapeNotNumbersAboveZero_IsWrongUsage(string shape)
    {
        using var work = new Workspace();
        RunResult run = RunResult.Of("inspect", work.DemoModel(), "--shape", shape);
        Assert.Contains(shape == "1,3" ? "--shape [1, 3] does not fit input 'input' float32" : $"--shape is '{shape}', expected whole numbers", run.ErrorLine(), StringComparison.Ordinal);
        Assert.Equal(shape == "1,3" ? 1 : 2, run.Code);
    }

    [Fact]
    public void Run_Json_HoldsTheSame()
    {
        using var work = new Workspace();
        using JsonDocument json = JsonDocument.Parse(RunResult.Of("inspect", work.DemoModel(), "--json", "--layers").Output);
        JsonElement root = json.RootElement;
        Assert.Equal("NCHW", root.GetProperty("picture").GetProperty("layout").GetString());
        Assert.Equal(root.GetProperty("operators").GetProperty("Conv").GetInt32(), root.GetProperty("layers").EnumerateArray().Count(layer => layer.GetProperty("opType").GetString() == "Conv"));
    }
}
