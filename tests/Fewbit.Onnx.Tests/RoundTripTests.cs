using Fewbit.Graphs;
using Fewbit.OnnxRuntime;
using Fewbit.Tensors;
using Fewbit.Testing;

namespace Fewbit.Onnx.Tests;

public class RoundTripTests
{
    public static TheoryData<string> Models => [.. RealModels.Paths];

    [RealModelTheory(needsRuntime: true)]
    [MemberData(nameof(Models))]
    public void Save_EveryModelOfTheData_RunsIdenticallyInOnnxRuntime(string path)
    {
        byte[] original = File.ReadAllBytes(Oracles.Data(path)), written = OnnxFile.ToBytes(OnnxFile.Load(Oracles.Data(path)));
        var library = OnnxRuntimeLibrary.Open(Oracles.OnnxRuntimeLibrary);
        var options = new OnnxRuntimeOptions { OptimizationLevel = GraphOptimizationLevel.Off, Threads = 1 };
        using var before = OnnxRuntimeSession.Load(library, original, options);
        using var after = OnnxRuntimeSession.Load(library, written, options);
        Assert.Equal(before.Outputs.Select(output => output.Name), after.Outputs.Select(output => output.Name));
        Graph graph = OnnxFile.Load(Oracles.Data(path));
        var inputs = RandomInputs.For(graph.Inputs.Select(input => new ValueInfo(input.Name, input.Type, input.Shape)), 1, (_, axis) => axis == 0 ? 2 : 40);
        var expected = before.Run(inputs);
        foreach ((string name, Tensor tensor) in after.Run(inputs))
        {
            Assert.Equal(expected[name].ToString(), tensor.ToString());
            Assert.True(expected[name].Bytes.SequenceEqual(tensor.Bytes), $"{path}: output '{name}' differs");
        }
    }

    [RealModelTheory(needsRuntime: false)]
    [MemberData(nameof(Models))]
    public void Save_Twice_GivesTheSameBytes(string path)
    {
        byte[] first = OnnxFile.ToBytes(OnnxFile.Load(Oracles.Data(path)));
        Assert.Equal(first, OnnxFile.ToBytes(OnnxFile.Load(first)));
    }

    [Fact]
    public void Save_CustomGradient_SaysThatNoFileHoldsIt()
    {
        var graph = new Graph(opset: 21);
        graph.AddInput("x", ElementType.Float32, [2]).StraightThrough(x => x.Apply("Round")).Returns("y");
        string message = Assert.Throws<InvalidDataException>(() => OnnxFile.ToBytes(graph)).Message;
        Assert.StartsWith("ai.fewbit.CustomGradient 'CustomGradient': has no form in ONNX", message, StringComparison.Ordinal);
    }
}
