using System.Text.Json;

namespace Fewbit.Cli.Tests.Commands;

public class DoctorCommandTests
{
    [Fact]
    public void Run_NamedLibraryMissing_SaysWhereItLookedAndHowToGetIt()
    {
        RunResult run = RunResult.Of("doctor", "--ort", "/no/such/libonnxruntime.so");
        Assert.Contains("ONNX Runtime       not found", run.Output, StringComparison.Ordinal);
        Assert.Contains("  /no/such/libonnxruntime.so (--ort)\n", run.Output, StringComparison.Ordinal);
        Assert.Contains("npm install onnxruntime-node", run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void Run_NotALibrary_ShowsTheProblemAndReturns1()
    {
        using var work = new Workspace();
        File.WriteAllText(work["libonnxruntime.so"], "no library");
        RunResult run = RunResult.Of("doctor", "--ort", work["libonnxruntime.so"]);
        Assert.Equal(1, run.Code);
        Assert.Contains("cannot be loaded as a library of this system", run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void Run_Json_NamesTheKernelPath()
    {
        RunResult run = RunResult.Of("doctor", "--json", "--ort", "/no/such/libonnxruntime.so");
        using JsonDocument report = JsonDocument.Parse(run.Output);
        Assert.Contains(report.RootElement.GetProperty("kernelPath").GetString(), new[] { "scalar", "portable", "avx2", "avx512", "emitted" });
        Assert.Equal(Environment.ProcessorCount, report.RootElement.GetProperty("processors").GetInt32());
    }
}
