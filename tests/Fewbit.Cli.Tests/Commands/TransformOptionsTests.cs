namespace Fewbit.Cli.Tests.Commands;

public sealed class TransformOptionsTests(DemoFolder demo) : IClassFixture<DemoFolder>
{
    [Fact]
    public void Run_AllTransformsPerTensor_SaysWhatEachDid()
    {
        RunResult run = RunResult.Of("quantize", demo.Model, "-c", demo.Calibration, "-d", demo.Unseen, "--labels", demo.Classes, "-p", "tf", "--equalize", "--absorb-biases", "--correct-biases", "--weight-granularity", "tensor", "-v", "-o", demo["transformed.onnx"]);
        Assert.Equal(0, run.Code);
        Assert.Contains("int8, one scale per tensor; activations uint8", run.Output, StringComparison.Ordinal);
        Assert.Matches(@"transform +equalize layers: [1-9]\d* changed, \d+ left, \d+ sweeps", run.Output);
        Assert.Matches(@"transform +absorb biases: \d+ changed, \d+ left", run.Output);
        Assert.Matches(@"transform +correct biases: [1-9]\d* changed, 0 left", run.Output);
        Assert.Matches(@"equalize layers:\n  \S+: equalized with ", run.Output.ReplaceLineEndings("\n"));
    }

    [Fact]
    public void Run_UnknownGranularity_SaysWhatIsKnown()
    {
        RunResult run = RunResult.Of("quantize", demo.Model, "-c", demo.Calibration, "--weight-granularity", "group", "-o", demo["never.onnx"]);
        Assert.Contains("there is no weight granularity 'group', expected channel, tensor or group:N", run.ErrorLine(), StringComparison.Ordinal);
    }
}
