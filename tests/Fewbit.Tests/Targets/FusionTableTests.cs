using Fewbit.Graphs;
using Fewbit.Onnx;
using Fewbit.OnnxRuntime;
using Fewbit.Quantization;
using Fewbit.Targets;
using Fewbit.Tensors;
using Fewbit.Testing;
using Fewbit.Tests.Quantization;

namespace Fewbit.Tests.Targets;

public sealed class FusionTableTests
{
    private static FusionTable In(string? library, Graph model, bool keepsInt8 = false)
    {
        OnnxRuntimeLibrary runtime = OnnxRuntimeLibrary.Open(library);
        string path = Path.Combine(Path.GetTempPath(), $"fewbit-{Guid.NewGuid():N}.onnx");
        try
        {
            OnnxRuntimeSession.Load(runtime, OnnxFile.ToBytes(model), new() { OptimizedModelPath = path, ConfigEntries = new Dictionary<string, string> { ["session.qdqisint8allowed"] = keepsInt8 ? "1" : "0" } }).Dispose();
            return FusionTable.Of($"ONNX Runtime {runtime.Version}", model, OnnxFile.Load(path, new() { InferShapes = false, UpgradeOpset = false }), keepsInt8);
        }
        finally
        {
            File.Delete(path);
        }
    }

    /// <summary>Three layers with nodes between them that no engine computes on codes.</summary>
    private static QuantizationResult WithFloatNodes()
    {
        Graph graph = SmallGraphs.Create(out Value x, "N", 4, 8, 8);
        Value a = x.Conv("first", 8).Named("Tanh", "tanh").Conv("second", 8, seed: 3);
        a.Named("Sub", "sub", null, graph.AddConstant("one", Tensor.Scalar(1f))).Conv("third", 8, seed: 5).Named("Relu", "relu").Conv("last", 4, seed: 7).Named("Relu", "end").Returns();
        return SmallGraphs.Quantize(graph);
    }

    [BothRuntimesTheory]
    [InlineData(false)]
    [InlineData(true)]
    public void Of_ModelThatFusesWhole_IsAsExpected(bool isOld)
    {
        QuantizationResult result = SmallGraphs.Quantize(TargetExportTests.Residual(), new() { Target = ExportTarget.OrtX64 });
        FusionTable table = In(isOld ? Oracles.OlderOnnxRuntimeLibrary : Oracles.OnnxRuntimeLibrary, result.Model);
        Assert.Equal(Fused(result.Fusion, isOld), Fused(table, isOld));
        Assert.Equal(6, table.Fused["QLinearConv"]);
        Assert.Equal(isOld ? ["flatten"] : [], table.Left.Select(node => node.Node));
        Assert.Equal(isOld ? (2, 1) : (1, 0), (table.Quantizers, table.Dequantizers));
        Assert.StartsWith(isOld ? "ONNX Runtime 1.17." : "ONNX Runtime 1.", table.Engine, StringComparison.Ordinal);
    }

    [BothRuntimesTheory]
    [InlineData(false)]
    [InlineData(true)]
    public void Of_NodesThatStayFloat_HaveAReasonEach(bool isOld)
    {
        QuantizationResult result = WithFloatNodes();
        FusionTable table = In(isOld ? Oracles.OlderOnnxRuntimeLibrary : Oracles.OnnxRuntimeLibrary, result.Model);
        Assert.Equal(result.Fusion.Left.Select(node => node.Node), table.Left.Select(node => node.Node));
        Assert.Contains("tanh", table.Left.Select(node => node.Node));
        Assert.Contains("sub", table.Left.Select(node => node.Node));
        Assert.All(table.Left, node => Assert.False(string.IsNullOrEmpty(node.Reason), node.Node));
        Assert.Contains(table.Left, node => node.ToString() == "Tanh 'tanh' stays float: ONNX Runtime has no operator on codes for it");
    }

    /// <summary>On ARM the runtime leaves int8 as it is; on x64 it does so when told to.</summary>
    [BothRuntimesTheory]
    [InlineData(false)]
    [InlineData(true)]
    public void Of_ModelForArm_FusesWholeWhereInt8IsKept(bool isOld)
    {
        QuantizationResult result = SmallGraphs.Quantize(TargetExportTests.Residual(), new() { Target = ExportTarget.OrtArm });
        FusionTable table = In(isOld ? Oracles.OlderOnnxRuntimeLibrary : Oracles.OnnxRuntimeLibrary, result.Model, keepsInt8: true);
        Assert.Equal(Fused(result.Fusion, isOld), Fused(table, isOld));
        Assert.Equal(isOld ? ["flatten"] : [], table.Left.Select(node => node.Node));
    }

    /// <summary>Release 1.17 leaves a Flatten between its pair, which changes no number.</summary>
    private static IEnumerable<(string, string?)> Fused(FusionTable table, bool isOld) => table.Nodes.Where(node => !isOld || node.OpType != "Flatten").Select(node => (node.Node, node.FusedAs));

    [Fact]
    public void Of_RuntimeThatFusesLess_SaysSo()
    {
        QuantizationResult result = SmallGraphs.Quantize(TargetExportTests.Residual());
        FusionTable table = FusionTable.Of("Engine 2", result.Model, result.Model);
        Assert.Equal(result.Fusion.Nodes.Count, table.Left.Count());
        Assert.All(table.Left, node => Assert.Equal("Engine 2 does not fuse it, although it meets the conditions of ONNX Runtime 1.30", node.Reason));
    }
}
