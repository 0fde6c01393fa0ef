using Fewbit.Cli.Judging;
using Fewbit.Evaluation;
using Fewbit.Graphs;
using Fewbit.Onnx;
using Fewbit.OnnxRuntime;
using Fewbit.Tensors;

namespace Fewbit.Cli.Quantizing;

/// <summary>A model on one seeded input: against the float model, and in ONNX Runtime against Fewbit.</summary>
/// <param name="SignalToNoise">Of the outputs against the float model's, in Fewbit, the worst of them in decibels; null where no output is float32.</param>
/// <param name="Runtime">Version of ONNX Runtime; null where it was not found.</param>
/// <param name="AsWritten">Largest difference of the runtime's outputs from Fewbit's where it does not rewrite the graph, relative to the largest output.</param>
/// <param name="Optimized">The same with all of its rewrites, at its defaults.</param>
internal sealed record RuntimeCheck(double? SignalToNoise, string? Runtime, double? AsWritten, double? Optimized)
{
    public static RuntimeCheck Of(Graph original, Graph model, OnnxRuntimeLibrary? library, IReadOnlyDictionary<string, Tensor> inputs)
    {
        using var reference = Engines.Fewbit(original);
        using var own = Engines.Fewbit(model);
        IReadOnlyDictionary<string, Tensor> outputs = own.Run(inputs);
        OutputDifference[] differences = [.. Differences(reference.Run(inputs), outputs)];
        double? noise = differences.Length == 0 ? null : differences.Min(difference => difference.SignalToNoise);
        return library is null ? new(noise, null, null, null)
            : new(noise, library.Version, Largest(library, model, GraphOptimizationLevel.Off, inputs, outputs), Largest(library, model, GraphOptimizationLevel.All, inputs, outputs));
    }

    private static double? Largest(OnnxRuntimeLibrary library, Graph model, GraphOptimizationLevel level, IReadOnlyDictionary<string, Tensor> inputs, IReadOnlyDictionary<string, Tensor> outputs)
    {
        using var session = OnnxRuntimeSession.Load(library, OnnxFile.ToBytes(model), new() { OptimizationLevel = level });
        OutputDifference[] differences = [.. Differences(session.Run(inputs), outputs)];
        return differences.Length == 0 ? null : differences.Max(difference => difference.MaxDifference / Math.Max(difference.MaxReference, float.Epsilon));
    }

    private static IEnumerable<OutputDifference> Differences(IReadOnlyDictionary<string, Tensor> reference, IReadOnlyDictionary<string, Tensor> outputs)
    {
        foreach ((string name, Tensor tensor) in reference.Where(pair => pair.Value.Type == ElementType.Float32 && outputs[pair.Key].Type == ElementType.Float32))
        {
            var difference = new OutputDifference();
            difference.Add(tensor, outputs[name]);
            yield return difference;
        }
    }
}
