using Fewbit.Graphs;
using Fewbit.Graphs.Execution;
using Fewbit.Graphs.Passes;
using Fewbit.OnnxRuntime;
using Fewbit.Tensors;
using Fewbit.Testing;
using Fewbit.Testing.Conformance;

namespace Fewbit.Onnx.Tests;

/// <summary>Every model of the real data in Fewbit's engine against ONNX Runtime without optimizations.</summary>
public class WholeModelTests
{
    private const double Tolerance = 1e-4;
    private const long PictureLength = 24, TextLength = 16;

    public static TheoryData<string, long> Models
    {
        get
        {
            var models = new TheoryData<string, long>();
            foreach (string path in RealModels.Paths)
            {
                models.Add(path, 1);
                models.Add(path, 2);
            }
            return models;
        }
    }

    [RealModelTheory(needsRuntime: true)]
    [MemberData(nameof(Models))]
    public void Run_RandomInputs_EqualsOnnxRuntime(string path, long batch)
    {
        Graph graph = OnnxFile.Load(Oracles.Data(path));
        Assert.Empty(graph.UnsupportedNodes());
        using var fewbit = new GraphRunner(graph);
        if (batch > 1 && fewbit.Inputs.All(input => input.Shape![0].IsKnown))
        {
            var wrong = fewbit.Inputs.ToDictionary(input => input.Name, input => Tensor.Allocate(input.Type, input.Shape!.With(0, batch).ToShape()));
            Assert.Contains("is given", Assert.Throws<ArgumentException>(() => fewbit.Run(wrong)).Message, StringComparison.Ordinal);
            return;
        }
        (float low, float high) = RangeOf(path);
        bool isText = path.StartsWith("text/", StringComparison.Ordinal);
        var inputs = RandomInputs.For(fewbit.Inputs, 1, (_, axis) => axis == 0 ? batch : isText ? TextLength : PictureLength, low, high);
        using var runtime = OnnxRuntimeSession.Load(OnnxRuntimeLibrary.Open(Oracles.OnnxRuntimeLibrary), Oracles.Data(path), new() { OptimizationLevel = GraphOptimizationLevel.Off, Threads = 1 });
        IReadOnlyDictionary<string, Tensor> expected = runtime.Run(inputs), actual = fewbit.Run(inputs);
        Tensor[] interpreted = new Interpreter().Run(graph, inputs);
        using var prepared = new GraphRunner(Passes.ForExecution(graph));
        IReadOnlyDictionary<string, Tensor> fused = prepared.Run(inputs);
        foreach ((int i, Value output) in graph.Outputs.Index())
        {
            AssertClose(path, output.Name, "plan", expected[output.Name], actual[output.Name]);
            AssertClose(path, output.Name, "plan of the fused graph", expected[output.Name], fused[output.Name]);
            AssertClose(path, output.Name, "interpreter", expected[output.Name], interpreted[i]);
        }
    }

    private static void AssertClose(string path, string output, string engine, Tensor expected, Tensor actual)
    {
        double error = TensorComparison.MaxRelativeError(expected, actual);
        Assert.True(error <= Tolerance, $"{path}: {engine}: output '{output}' {actual} (expected {expected}): max|a-b| / max|b| is {error:g3}, expected at most {Tolerance}");
    }

    /// <summary>The values that the model was trained on.</summary>
    private static (float Low, float High) RangeOf(string path) => path switch
    {
        "cifar10/models/mlperf_tiny_resnet8.onnx" => (0, 255),
        "imagenet/models/tinydarknet.onnx" or "detection/models/FastestDet_352.onnx" => (0, 1),
        "imagenet/models/mobilenetv2_1.0_dequant.onnx" or "detection/models/ultraface_rfb_320.onnx" => (-1, 1),
        _ when path.StartsWith("super_resolution/", StringComparison.Ordinal) || path.Contains("vww", StringComparison.Ordinal) => (0, 1),
        _ => (-2, 2),
    };
}
