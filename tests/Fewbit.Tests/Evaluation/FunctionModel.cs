using Fewbit.Data;
using Fewbit.Graphs;
using Fewbit.Tensors;

namespace Fewbit.Tests.Evaluation;

/// <summary>A model that is a function of one input to named outputs.</summary>
internal sealed class FunctionModel(ValueInfo input, ValueInfo[] outputs, Func<Tensor, Tensor[]> run) : IModelRunner
{
    public IReadOnlyList<ValueInfo> Inputs => [input];

    public IReadOnlyList<ValueInfo> Outputs => outputs;

    public int Runs { get; private set; }

    /// <summary>One float32 output "y".</summary>
    public static FunctionModel Of(SymbolicShape input, SymbolicShape output, Func<Tensor, Tensor> run, ElementType type = ElementType.Float32) =>
        new(new("x", type, input), [new("y", ElementType.Float32, output)], x => [run(x)]);

    public static SampleBatch Batch(Tensor x, int first = 0, int[]? labels = null) => new(new Dictionary<string, Tensor> { ["x"] = x }, (int)x.Shape[0], first, labels);

    public IReadOnlyDictionary<string, Tensor> Run(IReadOnlyDictionary<string, Tensor> inputs, IReadOnlyCollection<string>? wanted = null)
    {
        Runs++;
        return outputs.Zip(run(inputs.Values.Single())).ToDictionary(pair => pair.First.Name, pair => pair.Second);
    }

    public void Dispose()
    {
    }
}
