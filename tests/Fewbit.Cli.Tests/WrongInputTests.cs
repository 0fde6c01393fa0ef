namespace Fewbit.Cli.Tests;

/// <summary>Files that are not what a command needs: one line that names the file, what was found, and what to do.</summary>
public class WrongInputTests
{
    [Fact]
    public void Run_NoSuchModel_NamesIt() => AssertFails("no/such/model.onnx: no such model file", "inspect", "no/such/model.onnx");

    [Fact]
    public void Run_FolderAsModel_SaysSo()
    {
        using var work = new Workspace();
        AssertFails($"{work.Folder}: is a folder, expected a model file", "inspect", work.Folder);
    }

    [Fact]
    public void Run_EmptyModel_SaysSo()
    {
        using var work = new Workspace();
        File.WriteAllBytes(work["empty.onnx"], []);
        AssertFails($"{work["empty.onnx"]}: is empty, expected an ONNX model", "inspect", work["empty.onnx"]);
    }

    [Fact]
    public void Run_TruncatedModel_SaysSo()
    {
        using var work = new Workspace();
        byte[] model = File.ReadAllBytes(work.DemoModel());
        File.WriteAllBytes(work["cut.onnx"], model[..(model.Length / 2)]);
        AssertFails($"{work["cut.onnx"]}: is truncated: the file ends in the middle of a field", "inspect", work["cut.onnx"]);
    }

    [Fact]
    public void Run_TextAsModel_SaysItIsNotOnnx()
    {
        using var work = new Workspace();
        File.WriteAllText(work["text.onnx"], "This is a text, not a model.");
        RunResult run = RunResult.Of("inspect", work["text.onnx"]);
        Assert.StartsWith($"{work["text.onnx"]}: is not an ONNX model", run.ErrorLine(), StringComparison.Ordinal);
        Assert.Equal(1, run.Code);
    }

    private static void AssertFails(string message, params string[] arguments)
    {
        RunResult run = RunResult.Of(arguments);
        Assert.Equal(message, run.ErrorLine());
        Assert.Equal(1, run.Code);
    }
}
