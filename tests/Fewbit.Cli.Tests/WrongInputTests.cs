using Fewbit.Graphs;
using Fewbit.Onnx;
using Fewbit.Tensors;

namespace Fewbit.Cli.Tests;

/// <summary>Files that are not what a command needs: one line that names the file, what was found, and what to do.</summary>
public sealed class WrongInputTests(DemoFolder demo) : IClassFixture<DemoFolder>
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

    [Fact]
    public void Quantize_NoData_IsWrongUsage()
    {
        RunResult run = RunResult.Of("quantize", demo.Model);
        Assert.StartsWith("no data are given: --calibration DIR|FILE names them", run.ErrorLine(), StringComparison.Ordinal);
        Assert.Equal(2, run.Code);
    }

    [Fact]
    public void Quantize_NoSuchData_NamesThem()
    {
        RunResult run = RunResult.Of("quantize", demo.Model, "-c", "no/such/folder");
        Assert.StartsWith("no/such/folder: there is no such file or folder; expected a folder of PNG or JPEG pictures", run.ErrorLine(), StringComparison.Ordinal);
        Assert.Equal(1, run.Code);
    }

    [Fact]
    public void Quantize_EmptyFolder_SaysSo()
    {
        string folder = Directory.CreateDirectory(demo["empty"]).FullName;
        RunResult run = RunResult.Of("quantize", demo.Model, "-c", folder);
        Assert.StartsWith($"{folder}: is empty; expected a folder of PNG or JPEG pictures", run.ErrorLine(), StringComparison.Ordinal);
    }

    [Fact]
    public void Quantize_WrongArraySize_NamesFoundAndExpected()
    {
        string path = demo["small.npy"];
        WriteNpy(path, [6, 3, 16, 16]);
        AssertFails($"6 samples of {path}: 'small' float32 [6, 3, 16, 16], no labels: array 'small' is float32 [N, 3, 16, 16], input 'input' float32 [N, 3, 32, 32] expects [N, 3, 32, 32]",
            "quantize", demo.Model, "-c", path);
    }

    [Fact]
    public void Quantize_ChannelsLastArray_SaysHowToMoveThem()
    {
        string path = demo["last.npy"];
        WriteNpy(path, [6, 32, 32, 3]);
        Assert.EndsWith("; move the channels first: x.transpose(0, 3, 1, 2)", RunResult.Of("quantize", demo.Model, "-c", path).ErrorLine(), StringComparison.Ordinal);
    }

    [Fact]
    public void Quantize_QuantizedAlready_SaysSo()
    {
        string path = demo["once.onnx"];
        Assert.Equal(0, RunResult.Of("quantize", demo.Model, "-c", demo.Calibration, "--labels", demo.Classes, "-p", "tf", "--samples", "24", "-o", path).Code);
        RunResult run = RunResult.Of("quantize", path, "-c", demo.Calibration, "--labels", demo.Classes);
        Assert.Matches("once.onnx: the model is quantized already \\(.* and \\d+ more\\); give the float model that it was made from, or make it float first: fewbit quantize --mode float, Quantizer.Dequantize$", run.ErrorLine());
        Assert.Equal(1, run.Code);
    }

    [Fact]
    public void Quantize_NanWeight_NamesNodeAndWeight()
    {
        string path = Changed("nan.onnx", weights => weights[7] = float.NaN);
        RunResult run = RunResult.Of("quantize", path, "-c", demo.Calibration, "--labels", demo.Classes, "-p", "tf");
        Assert.Matches("nan.onnx: Conv '.*': '.*' float32 .* holds NaN at position 7, expected finite numbers; repair the model or exclude the node$", run.ErrorLine());
        Assert.Equal(1, run.Code);
    }

    [Fact]
    public void Quantize_ZeroChannel_IsReportedAndDone()
    {
        string path = Changed("zero.onnx", weights => weights[..27].Clear());
        RunResult run = RunResult.Of("quantize", path, "-c", demo.Calibration, "--labels", demo.Classes, "-p", "tf", "--force");
        Assert.Equal(0, run.Code);
        Assert.Matches("warning: '.*' of '.*': 1 channels hold only zeros \\(0\\)", run.Output);
    }

    [Fact]
    public void Quantize_FileIsThere_AsksForOverwrite()
    {
        File.WriteAllText(demo["taken.onnx"], "");
        AssertFails($"{demo["taken.onnx"]}: is there already; give --overwrite, or another file with -o", "quantize", demo.Model, "-c", demo.Calibration, "-o", demo["taken.onnx"]);
    }

    [Fact]
    public void Quantize_NamedOnnxRuntimeMissing_SaysSoBeforeAnyWork()
    {
        RunResult run = RunResult.Of("quantize", demo.Model, "-c", demo.Calibration, "--ort", "/no/such/library.so", "-o", demo["never.onnx"]);
        Assert.StartsWith("ONNX Runtime was not found. Places tried: /no/such/library.so (--ort)", run.ErrorLine(), StringComparison.Ordinal);
        Assert.False(File.Exists(demo["never.onnx"]));
    }

    [Fact]
    public void Quantize_OutputIsTheModel_IsWrongUsage()
    {
        RunResult run = RunResult.Of("quantize", demo.Model, "-c", demo.Calibration, "-o", demo.Model, "--overwrite");
        Assert.Equal($"{demo.Model}: is the model itself; name another file with -o", run.ErrorLine());
        Assert.Equal(2, run.Code);
    }

    [Fact]
    public void Quantize_UnknownExclusion_NamesTheFile() => AssertFails($"{demo.Model}: the model has no node 'nothing_like_it' to exclude",
        "quantize", demo.Model, "-c", demo.Calibration, "--labels", demo.Classes, "--exclude", "nothing_like_it");

    [Fact]
    public void Evaluate_NoLabelsAndNoFloatModel_SaysWhatIsMissing()
    {
        string path = demo["unlabelled.npy"];
        WriteNpy(path, [6, 3, 32, 32]);
        AssertFails($"{path}: there are no labels to judge '{demo.Model}' by; give them, or the float model with --float", "evaluate", demo.Model, "-d", path);
    }

    /// <summary>The demonstration's model with the weights of its first convolution changed.</summary>
    private string Changed(string name, Action<Span<float>> change)
    {
        Graph graph = OnnxFile.Load(demo.Model);
        Value weight = graph.Nodes.First(node => node.OpType == "Conv").Inputs[1]!;
        Tensor tensor = weight.Constant!.Copy();
        change(tensor.Span<float>());
        weight.SetConstant(tensor);
        OnnxFile.Save(graph, demo[name]);
        return demo[name];
    }

    private static void WriteNpy(string path, int[] shape)
    {
        string header = $"{{'descr': '<f4', 'fortran_order': False, 'shape': ({string.Join(", ", shape)}), }}".PadRight(117) + "\n";
        using FileStream file = File.Create(path);
        file.Write([0x93, (byte)'N', (byte)'U', (byte)'M', (byte)'P', (byte)'Y', 1, 0, (byte)header.Length, 0]);
        file.Write(System.Text.Encoding.ASCII.GetBytes(header));
        file.Write(new byte[4 * shape.Aggregate((a, b) => a * b)]);
    }

    private static void AssertFails(string message, params string[] arguments)
    {
        RunResult run = RunResult.Of(arguments);
        Assert.Equal(message, run.ErrorLine());
        Assert.Equal(1, run.Code);
    }
}
