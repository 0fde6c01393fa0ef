using Fewbit.Tensors;

namespace Fewbit.Training;

/// <summary>Samples for one step.</summary>
/// <param name="Inputs">A tensor for each input of the model, and <see cref="Target"/>: classes int64 [N] (tokens [N, T]), or numbers of the output's shape.</param>
/// <param name="Count">Samples.</param>
public sealed record TrainingBatch(IReadOnlyDictionary<string, Tensor> Inputs, int Count)
{
    /// <summary>Name of what the model should have said.</summary>
    public const string Target = "target";

    /// <summary>Name of the second class of mixed samples, int64 [N].</summary>
    public const string SecondTarget = "target2";

    /// <summary>Name of the first class's share in mixed samples, float32 [N].</summary>
    public const string Share = "share";
}
